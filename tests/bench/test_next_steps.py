"""What stands at the end of `skipx bench` can be typed, and means the same matrix."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.command import dry_run, places, side_by_side
from nnunet_skipx.bench.estimate import hours_left
from nnunet_skipx.bench.matrix import Matrix, cells
from nnunet_skipx.bench.next_steps import bench_words, reading
from nnunet_skipx.bench.slots import Slot
from nnunet_skipx.cli.bench import matrix_of
from nnunet_skipx.cli.main import build_parser, main
from nnunet_skipx.system.next_steps import BEGIN, go_on
from tests.bench.conftest import finish
from tests.contract import SMALL_2D
from tests.made_up_study import log_text
from tests.universal.conftest import Make, make_domain

__all__ = ["make_domain"]  # fixture
NAMES = st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9_ ]{0,9}", fullmatch=True), min_size=1, max_size=3, unique=True)


def lines_to_type(text: str) -> list[list[str]]:
    """The words of the lines under the last `Go on with`."""
    return [shlex.split(line) for line in text.rpartition(f"{BEGIN}\n")[2].splitlines() if line.startswith("    ")]


@given(
    NAMES,
    NAMES,
    st.lists(st.integers(0, 9), unique=True),
    st.booleans(),
    st.sampled_from([1, 3]),
    st.sampled_from([("nnUNetPlans",), ("a", "b")]),
)
def test_the_line_of_a_matrix_is_that_matrix(c: list, tr: list, f: list, npz: bool, n: int, p: tuple) -> None:
    matrix = Matrix(("4", "Dataset027_ACDC"), tuple(c), tuple(tr), p, tuple(f), npz, n)
    (words,) = lines_to_type(go_on(bench_words(matrix)))
    assert matrix_of(build_parser().parse_args(words[1:])) == matrix


def test_what_was_trained_is_reported_on_and_a_universal_run_extracted(make_domain: Make, tmp_path: Path) -> None:
    for number in (11, 12):
        make_domain(number, SMALL_2D)
    assert main(["universal", "create", "-d", "11", "12", "--id", "500", "-c", "test"]) == 0
    both = reading(Matrix(("11", "500"), ("test",), ("nnUNetTrainer",), folds=(0, 2)))
    assert [" ".join(map(str, words)) for words in both] == [
        "skipx universal extract -d 500",
        "skipx report -d 11 -c test -tr nnUNetTrainer -f 0 2",
    ]
    for words in both:
        build_parser().parse_args(list(map(str, words[1:])))
    assert len(reading(Matrix(("500",), ("test",), ("nnUNetTrainer",)))) == 1


def test_a_comparison_that_is_done_ends_with_the_report(
    make_domain: Make, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    make_domain(11, SMALL_2D)
    finish(Cell(tmp_path / "nnUNet_results", "Dataset011_Made", "test", 0, "nnUNetTrainer", "nnUNetPlans"))
    words = ["bench", "-d", "11", "-c", "test", "-tr", "nnUNetTrainer", "-f", "0", "-device", "cpu"]
    assert main(words) == 0
    (line,) = lines_to_type(capsys.readouterr().out)
    assert line == ["skipx", "report", "-d", "11", "-c", "test", "-tr", "nnUNetTrainer", "-f", "0"]
    assert main([*words, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert lines_to_type(printed) == [["skipx", *words]]
    assert "the others take about 0 h one after the other, 0 h on " in printed


def test_nothing_to_report_on_ends_with_the_training(
    make_domain: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    make_domain(11, SMALL_2D)
    assert main(["report", "-d", "11", "-c", "test", "-tr", "nnUNetTrainer", "nnUNetTrainerXUNet"]) == 2
    (line,) = lines_to_type(capsys.readouterr().err)
    assert line == ["skipx", "bench", "-d", "11", "-c", "test", "-tr", "nnUNetTrainer", "nnUNetTrainerXUNet"]
    assert matrix_of(build_parser().parse_args(line[1:])).datasets == ("11",)


def test_hours_are_those_of_cells_dealt_to_the_slots(two_cells: list[Cell], monkeypatch: pytest.MonkeyPatch) -> None:
    assert side_by_side([3.0, 1.0, 1.0, 1.0], 2) == 3
    assert side_by_side([], 4) == 0
    monkeypatch.setattr("nnunet_skipx.bench.command.results_folder", lambda: two_cells[0].results)
    monkeypatch.setattr("nnunet_skipx.bench.command.cells", lambda matrix, results: two_cells)
    monkeypatch.setattr("nnunet_skipx.bench.command.hours_left", lambda cells, device: dict.fromkeys(cells, 1.5))
    told = dry_run(Matrix(("99",), ("3d_fullres",), ("nnUNetTrainer",)), [Slot("cuda", "0")] * 4)
    assert "about 3 h one after the other, 1.5 h on 4 GPUs" in told
    assert places([Slot("cuda", "0")]) == "1 GPU" and places([Slot("cpu")] * 2) == "2 parts of the CPU"


def test_what_is_left_takes_as_long_as_epochs_of_any_replicate_did(
    make_domain: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain(11, SMALL_2D)
    monkeypatch.setattr("nnunet_skipx.bench.estimate.paired_seconds", None)  # nothing has to be timed
    missing = cells(Matrix(("11",), ("test",), ("nnUNetTrainer_demo",), folds=(0,), replicates=3), tmp_path)
    begun = missing.pop(1)
    assert begun.results.name == "replicate_2"
    begun.folder.mkdir(parents=True)
    (begun.folder / "training_log_2025_11_21_02_19_00.txt").write_text(log_text(0, seconds=720.0))
    assert hours_left(missing, "cpu") == dict.fromkeys(missing, pytest.approx(5 * 0.2))
    assert hours_left([begun], "cpu") == {begun: pytest.approx(4 * 0.2)}
