"""Commands end with a command that can be typed."""

import shlex

import pytest

from nnunet_skipx.cli.main import build_parser, main
from nnunet_skipx.system.next_steps import BEGIN
from tests.contract import SMALL_2D
from tests.docs.test_command_lines import Parsed, call
from tests.universal.conftest import Make, make_domain

__all__ = ["make_domain"]  # fixture


def require_understood(printed: str, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The lines under `Go on with`, once their programs, ours or nnU-Net's, have parsed them."""
    _, begin, rest = printed.rpartition(f"{BEGIN}\n")
    assert begin, printed
    lines = [shlex.split(line) for line in rest.splitlines() if line.startswith("    ")]
    assert lines
    for words in lines:
        with pytest.raises(Parsed), monkeypatch.context() as patch:
            call(tuple(words), patch)
    return lines


def test_plans_are_trained(make_domain: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    make_domain(11, SMALL_2D)
    assert main(["plan", "-d", "11", "-a", "UTANet"]) == 0
    (line,) = require_understood(capsys.readouterr().out, monkeypatch)
    assert line == ["nnUNetv2_train", "11", "test", "0", "-p", "nnUNetUTANetPlans"]


def test_a_universal_run_is_trained(
    make_domain: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for number in (11, 12):
        make_domain(number, SMALL_2D)
    assert main(["universal", "create", "-d", "11", "12", "--id", "500", "-c", "test"]) == 0
    (line,) = require_understood(capsys.readouterr().out, monkeypatch)
    assert line[:4] == ["nnUNetv2_train", "500", "test", "0"]


def test_the_list_goes_on_to_what_trainers_cost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert main(["list"]) == 0
    assert [line[:2] for line in require_understood(capsys.readouterr().out, monkeypatch)] == [
        ["skipx", "profile"],
        ["skipx", "cite"],
    ]


def test_a_line_that_no_program_takes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        require_understood(f"{BEGIN}\n    skipx bench --nothing\n", monkeypatch)
    assert build_parser().parse_args(["list"]).command == "list"
