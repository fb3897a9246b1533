"""Headers of image files, without their voxels."""

from pathlib import Path
from typing import NamedTuple

import SimpleITK


class Grid(NamedTuple):
    """size: voxels along x, y and, for volumes, z; spacing: mm along these."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]


def read_grid(path: Path) -> Grid | None:
    """Of a file; None where it is missing or SimpleITK does not know its format."""
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    return Grid(tuple(reader.GetSize()), tuple(reader.GetSpacing()))
