"""The names that nnU-Net gives data sets, models and networks."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MOST_IDS = 10_000
MOST_DIGITS = 12
STOCK_NETWORKS = ("PlainConvUNet", "ResidualEncoderUNet")


def is_number(text: str) -> bool:
    """Whether a text is a whole number in plain digits, not more than anything here has.

    >>> is_number("1235"), is_number("²"), is_number("Dataset004_Hippocampus"), is_number(""), is_number("1" * 5000)
    (True, False, False, False, False)
    """
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS


def plain_float(text: str) -> float | None:
    """The number in a text, None for what is none; Python's own reading takes "1_0" and digits of other scripts, too.

    >>> plain_float("1e-3"), plain_float("1_0"), plain_float("\u0661"), plain_float("nan"), plain_float("x")
    (0.001, None, None, nan, None)
    """
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None


def begins_like(dataset: str) -> str:
    """How the folder of a data set begins that is given by its id; a full name is its own.

    >>> begins_like("4"), begins_like("1235"), begins_like("Dataset1235_Liver")
    ('Dataset004_', 'Dataset1235_', 'Dataset1235_Liver')
    """
    return f"Dataset{int(dataset):03d}_" if is_number(dataset) else dataset


def are_of(dataset: str, folders: Iterable[Path]) -> list[Path]:
    """Those of the folders that an id or a full name stands for, sorted.

    >>> [folder.name for folder in are_of("4", [Path("Dataset004_Hippocampus"), Path("Dataset040_Other")])]
    ['Dataset004_Hippocampus']
    """
    wanted = begins_like(dataset)
    return sorted(f for f in folders if f.name == wanted or (is_number(dataset) and f.name.startswith(wanted)))


def mistaken_for(number: int, names: Iterable[str]) -> list[str]:
    """The data sets that nnU-Net finds under this id, or this one under theirs: it takes `-d 123` for 1235, too.

    >>> mistaken_for(123, ["Dataset123_A", "Dataset1235_B", "Dataset012_C"]), mistaken_for(1235, ["Dataset123_A"])
    (['Dataset123_A', 'Dataset1235_B'], ['Dataset123_A'])
    """
    own, known = f"{number:03d}", {name: name.removeprefix("Dataset").split("_")[0] for name in names}
    return [name for name, its in known.items() if is_number(its) and (its.startswith(own) or own.startswith(its))]


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
