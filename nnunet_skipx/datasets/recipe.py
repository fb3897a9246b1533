"""What every converter returns: the cases of a source and how they become an nnU-Net data set."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Splits = list[dict[str, list[str]]]  # of splits_final.json: for each fold its "train" and "val" cases
FOLDS = 5
CT, GREY_MRI, RGB = {"0": "CT"}, {"0": "MRI"}, {str(channel): "rgb_to_0_1" for channel in range(3)}


Part = Literal["Tr", "Ts"]


@dataclass(frozen=True)
class Options:
    """What a user may choose; a converter looks only at what concerns it.

    allow_missing: convert what is there of an incomplete download. label_map: of `synapse`.
    masks: of `monuseg` (binary, unless given).
    """

    allow_missing: bool = False
    label_map: str = ""
    masks: str = ""


@dataclass(frozen=True)
class Written:
    """What came out of one case: voxels per label, and what a user should know."""

    label_counts: Mapping[int, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One case to be written, alone in a worker process.

    name: nnU-Net's case identifier. part: "Tr" with a label, in training and validation; "Ts" for nnUNetv2_predict.
    image, label: source files (several when it is stored slice by slice); label is empty where there is none.
    patient: whose it is, where one patient may have several cases.
    write: (case, image target, label target) -> `Written`; raises ValueError naming the file and what was expected.
    """

    name: str
    part: Part
    image: tuple[Path, ...]
    label: tuple[Path, ...]
    write: "Callable[[Case, Path, Path], Written]"
    patient: str = ""

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every file it is made from, once."""
        return tuple(dict.fromkeys((*self.image, *self.label)))


@dataclass(frozen=True)
class Record:
    """A case that was written. sources: path -> SHA-256."""

    name: str
    written: Written
    sources: Mapping[Path, str]


def five_folds(names: Sequence[str]) -> Splits:
    """nnU-Net's own five folds of these cases; none for fewer than five."""
    from nnunetv2.utilities.crossval_split import generate_crossval_split  # a second that workers can do without

    if len(names) < FOLDS:
        return []
    folds = generate_crossval_split(sorted(names), seed=12345, n_splits=FOLDS)
    return [{part: [str(name) for name in fold[part]] for part in ("train", "val")} for fold in folds]


def single_split(cases: Sequence[Case], validation: Collection[str]) -> Splits:
    """One fold that validates on the named cases and trains on all others with a label."""
    names = sorted(case.name for case in cases if case.part == "Tr")
    return [
        {
            "train": [name for name in names if name not in validation],
            "val": [name for name in names if name in validation],
        }
    ]


def split_by_prefix(cases: Sequence[Case], training: str) -> Splits:
    """One fold that trains on the cases whose names begin so, and validates on all others with a label."""
    return single_split(cases, {case.name for case in cases if not case.name.startswith(training)})


@dataclass(frozen=True)
class Recipe:
    """A data set to be written.

    name: as in DatasetNNN_name. protocol: its name when complete. data: whose cases (see `Protocol`).
    expected: number of training cases of the complete protocol. splits: of the training cases that are there.
    also_read: source files besides the cases'. about: more keys for dataset.json.
    notes: what a reader of results should know of the source.
    finish: (folder of the data set, id, records, processes), after all cases are written; raises ValueError.
    """

    name: str
    protocol: str
    data: str
    source: Path
    channel_names: Mapping[str, str]
    labels: Mapping[str, int]
    file_ending: str
    cases: Sequence[Case]
    expected: int
    splits: Splits
    also_read: Sequence[Path] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    finish: Callable[[Path, int, Sequence[Record], int], None] | None = None

    @property
    def training(self) -> list[Case]:
        """The cases with a label."""
        return [case for case in self.cases if case.part == "Tr"]

    @property
    def protocol_name(self) -> str:
        """The protocol's, with the number of cases where some are missing."""
        have = len(self.training)
        return self.protocol if have == self.expected else f"{self.protocol} ({have} of {self.expected} cases)"
