"""What stands for many trainers in a matrix, on the command line and in a file."""

import json
from pathlib import Path

import pytest

from nnunet_skipx.bench.letters import read_matrix
from nnunet_skipx.bench.matrix import Matrix, cells
from nnunet_skipx.cli.bench import matrix_of
from nnunet_skipx.cli.main import build_parser, main
from tests.bench.test_matrix import planned  # noqa: F401

LETTERS = ["-d", "998", "-c", "3d_fullres"]
STAGES = {"2d": 4, "3d_fullres": 3}


@pytest.fixture
def two_skips(planned: Path) -> Path:  # noqa: F811
    """The planned data set, whose U-Net has two skips in 3D and three in 2D; the file of its plans."""
    path = planned.parent / "nnUNet_preprocessed" / "Dataset998_Test" / "nnUNetPlans.json"
    content = json.loads(path.read_text())
    for configuration, stages in STAGES.items():
        architecture = {"network_class_name": "x", "arch_kwargs": {"n_stages": stages}, "_kw_requires_import": []}
        content["configurations"][configuration]["architecture"] = architecture
    path.write_text(json.dumps(content))
    return path


def given(*words: str) -> Matrix:
    return matrix_of(build_parser().parse_args(["bench", *words]))


def test_skips_are_counted_in_the_plans(two_skips: Path) -> None:
    rows = ("nnUNetTrainer", "nnUNetTrainer_skips01", "nnUNetTrainer_skips10", "nnUNetTrainerNoSkip")
    assert given(*LETTERS, "--skips", "cut").trainers == rows
    inherited = given("-d", "998", "-c", "3d_cascade_fullres", "-tr", "nnUNetTrainer_5epochs", "--skips", "each")
    assert inherited.trainers[0] == "nnUNetTrainer_5epochs" and len(inherited.trainers) == 4
    assert len(given("-d", "998", "-c", "2d", "--skips", "each").trainers) == 8
    with pytest.raises(ValueError, match=r"2d \(nnUNetPlans\) has 3 skips and Dataset998_Test 3d_fullres .* 2, so"):
        given("-d", "998", "-c", "2d", "3d_fullres", "--skips", "cut")


def test_the_words_stand_together_and_beside_trainers(two_skips: Path) -> None:
    matrix = given(*LETTERS, "-tr", "Mine", "--architectures", "XUNet_demo", "--skips", "alone")
    cut = ("nnUNetTrainer_skips10_demo", "nnUNetTrainer_skips01_demo", "nnUNetTrainerNoSkip_demo")
    assert matrix.trainers == ("nnUNetTrainer_demo", *cut, "Mine", "nnUNetTrainerXUNet_demo")


def test_a_file_says_what_the_command_line_says(two_skips: Path, tmp_path: Path) -> None:
    path = tmp_path / "matrix.toml"
    path.write_text("d = 998\nc = '3d_fullres'\narchitectures = ['XUNet', 'UTANet_twin']\nskips = 'cut'\n")
    words = [*LETTERS, "--architectures", "XUNet", "UTANet_twin", "--skips", "cut"]
    assert read_matrix(path) == given(*words)
    path.write_text("d = 998\nc = '3d_fullres'\nskips = 'some'\n")
    with pytest.raises(ValueError, match="skips is 'some'; give one of cut, alone, each"):
        read_matrix(path)


def test_a_mask_for_other_plans_is_refused_before_anything_runs(
    two_skips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *LETTERS, "-tr", "nnUNetTrainer", "nnUNetTrainer_skips0111", "--dry-run"]) == 2
    told = capsys.readouterr().err
    assert "nnUNetTrainer_skips0111 cannot be trained on Dataset998_Test 3d_fullres: 0111 says which of 4" in told
    assert "has 2: write 2 digits, full resolution first, such as 01" in told
    assert len(cells(Matrix(("998",), ("3d_fullres",), ("nnUNetTrainer_skips01",), folds=(0,)), two_skips.parent)) == 1


def test_plans_that_do_not_say_how_many_skips_there_are_end_in_a_sentence(
    planned: Path,  # noqa: F811
) -> None:
    with pytest.raises(ValueError, match="do not say how many stages the U-Net of 3d_fullres has"):
        given(*LETTERS, "--skips", "each")
