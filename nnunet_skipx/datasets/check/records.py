"""What `skipx data check` knows of a data set: names, numbers, hashes and small pictures, no voxels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nnunet_skipx.datasets.recipe import Part

BACKGROUND_ID = 0


@dataclass(frozen=True)
class Labels:
    """Of dataset.json. regions: name -> its ids, one for plain labels, without background and the ignore label.

    ids: all but the ignore label's.
    """

    regions: Mapping[str, tuple[int, ...]]
    ids: tuple[int, ...]
    ignore: int | None = None

    @property
    def known(self) -> list[int]:
        """Every value that a label file may hold."""
        return [*self.ids, *self.ignored]

    @property
    def not_foreground(self) -> list[int]:
        """The values that are no structure."""
        return [BACKGROUND_ID, *self.ignored]

    @property
    def drawn(self) -> dict[str, tuple[int, ...]]:
        """What has a volume and a contour: the regions and, where there is one, the ignore label."""
        return dict(self.regions) | ({"ignore": self.ignored} if self.ignored else {})

    @property
    def ignored(self) -> tuple[int, ...]:
        """The id of the ignore label, if there is one."""
        return () if self.ignore is None else (self.ignore,)


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case. label: None where it has none."""

    name: str
    part: Part
    images: tuple[Path, ...]
    label: Path | None


@dataclass(frozen=True)
class RawDataset:
    """A data set in nnUNet_raw as dataset.json describes it, and its files. reader: nnU-Net's class for its format."""

    folder: Path
    description: Mapping[str, Any]
    channel_names: tuple[str, ...]
    file_ending: str
    labels: Labels
    reader: type[Any]
    cases: tuple[CaseFiles, ...]

    @property
    def training(self) -> list[str]:
        """The cases in training and validation."""
        return [case.name for case in self.cases if case.part == "Tr"]

    @property
    def is_rgb(self) -> bool:
        """Whether the first three channels are red, green and blue."""
        return [name.casefold() for name in self.channel_names[:3]] == ["rgb_to_0_1"] * 3


@dataclass(frozen=True)
class Grid:
    """Of one file. size: voxels along x, y and, for volumes, z. spacing: mm along these axes, for pictures 1.

    affine: index (x, y, z) -> mm (RAS) as nnU-Net's reader gives it; None for formats without (pictures, TIFF).
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    affine: np.ndarray | None = None

    @property
    def unit(self) -> str:
        """In which a label's volume is told."""
        if len(self.size) == 2:
            return "pixels"
        return "voxels" if self.affine is None else "ml"

    def volume(self, voxels: int) -> float:
        """Of so many voxels, in `unit`."""
        return float(voxels * np.prod(self.spacing) / 1000) if self.unit == "ml" else float(voxels)


@dataclass(frozen=True)
class Channel:
    """Intensities of one channel. low, high: of all finite values. usual: their 0.5 % and 99.5 % percentiles.

    not_finite: voxels of its file that are NaN or infinite. digest: of the file's voxels, with its other channels.
    """

    file: str
    grid: Grid
    low: float
    high: float
    usual: tuple[float, float]
    not_finite: int = 0
    digest: str = ""

    @property
    def is_constant(self) -> bool:
        """Whether it holds nothing to learn from."""
        return self.low == self.high


@dataclass(frozen=True)
class LabelRecord:
    """A label file. voxels: how many have each finite value. channels: expected 1."""

    file: str
    grid: Grid
    voxels: Mapping[float, int]
    channels: int = 1
    not_finite: int = 0


@dataclass(frozen=True)
class CaseRecord:
    """A case that was read. unreadable: a sentence for each file that could not be. thumbnail: a PNG file, if any."""

    name: str
    part: Part
    channels: tuple[Channel, ...]
    label: LabelRecord | None
    unreadable: tuple[str, ...] = ()
    thumbnail: bytes = field(default=b"", repr=False)

    @property
    def is_training_label(self) -> bool:
        """Whether something can be learnt from its label: none of imagesTs is trained on."""
        return self.part == "Tr" and self.label is not None

    @property
    def main_file(self) -> Channel | LabelRecord | None:
        """Whose grid is the case's: the first image, else the label."""
        return self.channels[0] if self.channels else self.label

    def volumes(self, labels: Labels) -> dict[str, float]:
        """What each label or region takes, in the unit of the label's grid; nothing without a label file."""
        if self.label is None:
            return {}
        voxels, grid = self.label.voxels, self.label.grid
        return {name: grid.volume(sum(voxels.get(i, 0) for i in ids)) for name, ids in labels.drawn.items()}


def usual_axes(grids: Sequence[Grid]) -> int:
    """How many axes most have, of at least one."""
    return Counter(len(grid.size) for grid in grids).most_common(1)[0][0]
