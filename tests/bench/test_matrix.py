"""A matrix spans its cells, in the words of nnU-Net, and refuses what nnU-Net could not train."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.bench.letters import read_matrix
from nnunet_skipx.bench.matrix import Matrix, cells

NAMES = st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,12}", fullmatch=True), min_size=1, max_size=3, unique=True)
FOLDS = st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True)
MATRIX = Matrix(("998",), ("3d_fullres",), ("nnUNetTrainer",))


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A planned and preprocessed data set with two folds; returns the folder of results."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    folder = tmp_path / "nnUNet_preprocessed" / "Dataset998_Test"
    configurations = {
        "2d": {"data_identifier": "nnUNetPlans_2d"},
        "3d_fullres": {"data_identifier": "nnUNetPlans_3d_fullres"},
        "3d_cascade_fullres": {"inherits_from": "3d_fullres"},
    }
    (folder / "nnUNetPlans_3d_fullres").mkdir(parents=True)
    (folder / "nnUNetPlans_3d_fullres" / "case.pkl").touch()
    plans = {"dataset_name": folder.name, "plans_name": "nnUNetPlans", "configurations": configurations}
    (folder / "nnUNetPlans.json").write_text(json.dumps(plans))
    (folder / "splits_final.json").write_text(json.dumps([{"train": ["a"], "val": ["b"]}] * 2))
    return tmp_path / "nnUNet_results"


def test_cells_run_fold_by_fold_and_replicate_by_replicate(planned: Path) -> None:
    matrix = Matrix(
        ("998",),
        ("3d_fullres", "3d_cascade_fullres"),
        ("nnUNetTrainer", "nnUNetTrainerUTANet"),
        folds=(0, 1),
        replicates=2,
    )
    everything = cells(matrix, planned)
    assert len(everything) == len(set(everything)) == 16
    assert [cell.results for cell in everything] == [planned] * 8 + [planned / "replicate_2"] * 8
    assert [cell.fold for cell in everything] == ([0] * 4 + [1] * 4) * 2
    assert [cell.trainer for cell in everything[:2]] == list(matrix.trainers)
    assert {cell.dataset for cell in everything} == {"Dataset998_Test"}


def test_without_folds_every_data_set_is_trained_on_those_that_it_has(planned: Path) -> None:
    single = planned.parent / "nnUNet_preprocessed" / "Dataset997_Single"
    shutil.copytree(single.with_name("Dataset998_Test"), single)
    (single / "splits_final.json").write_text(json.dumps([{"train": ["a"], "val": ["b"]}]))
    everything = cells(Matrix(("998", "997"), ("3d_fullres",), ("nnUNetTrainer",)), planned)
    found = [(cell.dataset, cell.fold) for cell in everything]
    assert found == [("Dataset998_Test", 0), ("Dataset997_Single", 0), ("Dataset998_Test", 1)]


def test_a_data_set_that_is_named_by_id_and_by_name_is_named_twice(planned: Path) -> None:
    with pytest.raises(ValueError, match="the data set Dataset998_Test is named twice"):
        cells(Matrix(("998", "Dataset998_Test"), ("3d_fullres",), ("nnUNetTrainer",)), planned)


def test_folds_run_in_the_order_in_which_they_are_given(planned: Path) -> None:
    everything = cells(Matrix(("998",), ("3d_fullres",), ("nnUNetTrainer",), folds=(1, 0)), planned)
    assert [cell.fold for cell in everything] == [1, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datasets": ("997",)}, "'997' was not found"),
        ({"plans": ("otherPlans",)}, r"plans there: nnUNetPlans\): check the name"),
        ({"configurations": ("3d_lowres",)}, "they have: 2d, 3d_fullres, 3d_cascade_fullres"),
        ({"configurations": ("2d",)}, "nnUNetPlans_2d holds no preprocessed case: run nnUNetv2_preprocess -d 998"),
        ({"folds": (0, 2)}, "has no fold 2: it has the folds 0 to 1"),
        ({"folds": (-1,)}, "has no fold -1"),
        ({"trainers": ("nnUNetTrainerUtanet",)}, "did you mean 'nnUNetTrainerUTANet'"),
        ({"trainers": ("myTrainer",)}, "finds no trainer 'myTrainer'"),
    ],
)
def test_what_nnunet_could_not_train_is_refused_with_the_cure(planned: Path, change: dict, message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        cells(Matrix(**{**vars(MATRIX), "folds": (0,), **change}), planned)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trainers": ()}, "the matrix has no trainers"),
        ({"folds": (0, 0)}, "0 stands twice among the folds"),
        ({"replicates": 0}, "replicates = 0 is no number of trainings: give 1 to 100"),
    ],
)
def test_a_matrix_without_sense_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Matrix(**{**vars(MATRIX), **change})


@given(
    d=st.lists(st.integers(1, 999), min_size=1, unique=True),
    c=NAMES,
    tr=NAMES,
    p=NAMES,
    f=FOLDS,
    npz=st.booleans(),
    replicates=st.integers(1, 9),
)
def test_a_file_says_what_the_command_line_says(
    tmp_path_factory: pytest.TempPathFactory, d: list, c: list, tr: list, p: list, f: list, npz: bool, replicates: int
) -> None:
    path = tmp_path_factory.mktemp("matrix") / "matrix.toml"
    values = {"d": d, "c": c, "tr": tr, "p": p, "f": f, "npz": npz, "replicates": replicates}
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    ids = tuple(map(str, d))
    assert read_matrix(path) == Matrix(ids, tuple(c), tuple(tr), tuple(p), tuple(f), npz, replicates)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("d = [4", "is not TOML"),
        ("d = 4\nc = '2d'", "lacks the key 'tr'"),
        ("d = 4\nc = '2d'\ntr = 'nnUNetTrainer'\nfolds = [0]", "has the key 'folds'; a matrix has d, c, tr, p, f"),
        ("d = 4\nc = '2d'\ntr = 'nnUNetTrainer'\nf = ['every']", "'every' is no fold: give a whole number"),
        ("d = 4\nc = '2d'\ntr = 'nnUNetTrainer'\nf = [-1]", "-1 is no fold"),
        ("d = 4.5\nc = '2d'\ntr = 'nnUNetTrainer'", "d contains 4.5, where a number or a text in quotes belongs"),
        ("d = 4\nc = '2d'\ntr = 'nnUNetTrainer'\nnpz = 1", "npz contains 1, where true or false belongs"),
        ("d = 4\nc = '2d'\ntr = 'nnUNetTrainer'\nreplicates = [1]", "replicates is a list"),
    ],
)
def test_a_broken_file_is_refused_with_an_example(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "matrix.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_matrix(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist; a matrix reads"):
        read_matrix(tmp_path / "none.toml")
