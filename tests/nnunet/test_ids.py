"""Ids of data sets: 123 is not 1235, and what is no number in plain digits is no id."""

from pathlib import Path

import pytest

from nnunet_skipx.datasets.check.place import find_dataset
from nnunet_skipx.datasets.destination import destination
from nnunet_skipx.nnunet.planned import full_name
from nnunet_skipx.results.find_models import find_models

NAMES = ("Dataset004_A", "Dataset123_B", "Dataset1235_C", "Dataset1235_Cc", "Dataset1237_D")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All of nnU-Net's folders in one."""
    for name in NAMES:
        (tmp_path / name / "nnUNetTrainer__nnUNetPlans__2d").mkdir(parents=True)
    for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(variable, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "name"),
    [("4", "Dataset004_A"), ("004", "Dataset004_A"), ("123", "Dataset123_B"), ("1237", "Dataset1237_D")]
    + [(name, name) for name in NAMES],
)
def test_an_id_or_a_full_name_stands_for_one_data_set(folder: Path, given: str, name: str) -> None:
    assert full_name(given) == name
    assert find_dataset(given).name == name
    assert {model.parent.name for model in find_models(folder, given, ["2d"], None, None)} == {name}


@pytest.mark.parametrize("given", ["12", "1235", "999", "1", "²", "４", "-4", "", "Dataset12", "Dataset1235", "../x"])
def test_what_stands_for_none_or_for_several_is_refused_with_what_there_is(folder: Path, given: str) -> None:
    for find in (find_dataset, lambda given: find_models(folder, given, ["2d"], None, None)):
        with pytest.raises((FileNotFoundError, ValueError), match="Dataset1235_C"):
            find(given)
    if not given.startswith("Dataset"):  # else a name, whose plans are looked for next
        with pytest.raises((FileNotFoundError, ValueError), match=r"give its id|Dataset1235_C"):
            full_name(given)


@pytest.mark.parametrize(("number", "other"), [(12, "012"), (123, "1235"), (1235, "123"), (100, "1000"), (1000, "100")])
def test_an_id_that_nnunet_would_confuse_with_another_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, other: str
) -> None:
    for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    assert destination("New", number, overwrite=False).name == f"Dataset{number:03d}_New"
    (tmp_path / "nnUNet_results" / f"Dataset{other}_Old").mkdir()
    with pytest.raises(ValueError, match=f"id {number} is taken by .*Dataset{other}_Old"):
        destination("New", number, overwrite=False)
