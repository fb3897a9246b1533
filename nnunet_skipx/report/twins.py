"""Rows that are twins of others, as their names say: a trainer, then what tells rows of one trainer apart."""

from collections.abc import Sequence

from nnunet_skipx.nnunet.trainer_name import TrainerName


def trainer_in(row: str) -> TrainerName:
    """The trainer in a row's name.

    >>> trainer_in("nnUNetTrainerUTANet_twin (nnUNetPlans, 2d)").options
    ('twin',)
    """
    return TrainerName.of(row.partition(" ")[0])


def twins_among(rows: Sequence[str]) -> list[tuple[str, str]]:
    """A row and a twin of it, for every twin that stands beside its row.

    >>> twins_among(["nnUNetTrainer", "nnUNetTrainerXUNet", "nnUNetTrainerXUNet_twin"])
    [('nnUNetTrainerXUNet', 'nnUNetTrainerXUNet_twin')]
    """
    return [
        (row, other)
        for row in rows
        for other in rows
        if other.partition(" ")[2] == row.partition(" ")[2] and trainer_in(other).is_twin_of(trainer_in(row))
    ]
