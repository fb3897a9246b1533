"""`python -m tests.parity` notices a difference, and takes files of other sizes."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.parity import main

REFERENCES = Path(__file__).parents[2] / "shared" / "reference"
REFERENCE = REFERENCES / "utanet_tamosc_2d.npz"


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    if not REFERENCE.is_file():
        pytest.skip("no reference vectors beside this checkout (../shared/reference)")
    with np.load(REFERENCE) as file:
        return {key: file[key] for key in file.files}


@pytest.mark.parametrize("name", sorted(path.name for path in REFERENCES.glob("*.npz")) or ["none.npz"])
def test_every_reference_file_agrees(name: str) -> None:
    if name == "none.npz":
        pytest.skip("no reference vectors beside this checkout (../shared/reference)")
    assert main([str(REFERENCES / name)]) == 0


def save(folder: Path, arrays: dict[str, np.ndarray]) -> str:
    path = folder / "changed.npz"
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize("key", ["param/fuse.0.weight", "param/moe.gate3", "param/docker2.1.running_var", "in/e4"])
def test_a_changed_number_is_found(arrays: dict[str, np.ndarray], key: str, tmp_path: Path) -> None:
    changed = arrays[key].copy()
    changed.flat[0] += 0.5
    assert main([save(tmp_path, arrays | {key: changed})]) == 1


@pytest.mark.parametrize("key", ["out64/o3", "mid/gate2_topk_weight", "grad/moe.gate1", "grad_loss/in_e2"])
def test_every_kind_of_value_is_compared(arrays: dict[str, np.ndarray], key: str, tmp_path: Path) -> None:
    assert main([save(tmp_path, arrays | {key: arrays[key] * 1.01 + 0.01})]) == 1


def test_a_smaller_batch_of_the_same_case_agrees(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    per_sample = ("in/", "out64/o")
    first = {key: value[:1] for key, value in arrays.items() if key.startswith(per_sample)}
    others = {key: value for key, value in arrays.items() if key.startswith("param/")}
    assert main([save(tmp_path, {**first, **others, "meta": arrays["meta"]})]) == 0


def test_an_unknown_case_and_a_missing_file_are_named(
    arrays: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    meta = json.loads(str(arrays["meta"])) | {"case": "some_other_net"}
    assert main([save(tmp_path, arrays | {"meta": np.asarray(json.dumps(meta))}), "missing.npz"]) == 1
    errors = capsys.readouterr().err
    assert "some_other_net" in errors
    assert "missing.npz does not exist" in errors
