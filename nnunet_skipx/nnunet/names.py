"""The names that nnU-Net gives data sets, models and networks."""

from pathlib import Path
from typing import NamedTuple

STOCK_NETWORKS = ("PlainConvUNet", "ResidualEncoderUNet")


def dataset_number(name: str) -> int:
    """The id in a data set's name.

    >>> dataset_number("Dataset004_Hippocampus"), dataset_number("Dataset1004_Hippocampus")
    (4, 1004)
    """
    return int(name.removeprefix("Dataset").split("_")[0])


class ModelName(NamedTuple):
    """The name of a model's folder among the results, `TRAINER__PLANS__CONFIGURATION`.

    >>> ModelName.of(Path("results/Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlans__3d_fullres")).plans
    'nnUNetPlans'
    """

    trainer: str
    plans: str
    configuration: str

    @classmethod
    def of(cls, folder: Path) -> "ModelName":
        """The parts of a folder's name; ValueError for another kind of name."""
        parts = folder.name.split("__")
        if len(parts) != 3:
            raise ValueError(
                f"{folder} is not a model folder of nnU-Net: expected a name like "
                "nnUNetTrainer__nnUNetPlans__3d_fullres"
            )
        return cls(*parts)
