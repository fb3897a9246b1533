"""Reference values of networks: nnU-Net's, declared on the class, or found out once and kept."""

from pathlib import Path

import pytest

from nnunet_skipx.architectures import XUNet
from nnunet_skipx.planning import references
from nnunet_skipx.planning.made_up_plans import Shape
from nnunet_skipx.planning.references import predicted_reference, reference_of

SMALL = ((Shape((32, 32), (1, 1), 3, 12),), (Shape((16, 16, 16), (1, 1, 1), 3, 2),))
ALWAYS = {
    "PlainConvUNet": (85_000_000, 560_000_000),
    "UTANet": (175_000_000, 807_000_000),
    "XUNet": (113_000_000, 728_000_000),
    "UDTransNet": (88_000_000, 584_000_000),
    "MSAUNet": (86_000_000, 566_000_000),
    "U2Net": (105_000_000, 643_000_000),
}


def test_plans_are_made_with_the_values_that_they_were_always_made_with() -> None:
    assert {name: reference_of(name) for name in ALWAYS} == ALWAYS


@pytest.mark.slow
def test_what_is_found_out_is_what_was_declared() -> None:
    assert predicted_reference("XUNet") == XUNet.vram_reference


@pytest.fixture
def undeclared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """XUNet declares nothing, plans are small, and the user's cache lies in the folder returned."""
    monkeypatch.setattr(XUNet, "vram_reference", None)
    monkeypatch.setattr(references, "SHAPES", SMALL)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def refuse(architecture: str) -> tuple[int, int]:
    raise AssertionError(f"{architecture} is found out again")


def test_an_undeclared_one_is_found_out_once_and_again_when_the_package_changes(
    undeclared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    found = reference_of("XUNet")
    assert found == predicted_reference("XUNet")
    assert "how much memory XUNet takes" in capsys.readouterr().err
    monkeypatch.setattr(references, "predicted_reference", refuse)
    assert reference_of("XUNet") == found
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(references, "state_of_the_package", lambda: "another")
    with pytest.raises(AssertionError, match="found out again"):
        reference_of("XUNet")


@pytest.mark.slow
def test_a_file_that_is_no_json_is_made_again(undeclared: Path) -> None:
    found = reference_of("XUNet")
    [path] = undeclared.rglob("*.json")
    path.write_text("{")
    assert reference_of("XUNet") == found
    assert path.read_text() != "{"


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_told_and_does_no_harm(
    undeclared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (undeclared / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(undeclared / "file"))
    assert reference_of("XUNet") == predicted_reference("XUNet")
    assert "not kept for next time" in capsys.readouterr().err
