"""A trainer is searched for as nnU-Net does, once for a name and the folders of the environment."""

from pathlib import Path

import pytest
from nnunetv2.utilities import find_objects

from nnunet_skipx.discovery import EXT_VARIABLE
from nnunet_skipx.nnunet.search import find_trainer

TRAINER = """
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

class nnUNetTrainerElsewhere(nnUNetTrainer):
    pass
"""


def test_other_folders_are_searched_anew_and_the_same_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nnUNetTrainerElsewhere.py").write_text(TRAINER)
    with pytest.raises(ValueError, match="finds no trainer 'nnUNetTrainerElsewhere'"):
        find_trainer("nnUNetTrainerElsewhere")
    monkeypatch.setenv(EXT_VARIABLE, str(tmp_path))
    found = find_trainer("nnUNetTrainerElsewhere")
    assert found.__name__ == "nnUNetTrainerElsewhere"

    def searched_again(name: str) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(find_objects, "recursive_find_trainer_class_by_name", searched_again)
    assert find_trainer("nnUNetTrainerElsewhere") is found
    monkeypatch.delenv(EXT_VARIABLE)
    with pytest.raises(AssertionError):
        find_trainer("nnUNetTrainerElsewhere")
