"""Geometry: the files of a case against each other, and the cases against the data set's median."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import nibabel
import numpy as np

from nnunet_skipx.datasets.check.records import CaseRecord, Channel, Grid, LabelRecord, usual_axes
from nnunet_skipx.datasets.check.words import Finding, by_axis, exactly, number, problem, remark
from nnunet_skipx.datasets.volumes import ROUNDING_MM, SAME_GRID_VOXELS, farthest_corner

KIND = "Geometry"
OUTLIER = 3  # times the median, or a third of it
File = Channel | LabelRecord
Seen = list[tuple[CaseRecord, File]]  # cases with the file whose grid is theirs


def geometry_within(record: CaseRecord) -> Iterator[Finding]:
    """Channels and label of a case against its first image."""
    if not record.channels:
        return
    first = record.channels[0]
    files: dict[str, File] = {channel.file: channel for channel in record.channels}
    if record.label:
        files[record.label.file] = record.label
    for file in files.values():
        if file.file != first.file:
            yield from grids_differ(record.name, file, first)


def grids_differ(case: str, file: File, first: File) -> Iterator[Finding]:
    """Size, spacing, or else origin and direction of a file that are not those of the case's first image."""
    its, expected = file.grid, first.grid
    if its.size != expected.size:
        yield problem(
            KIND,
            f"case {case}: {file.file} has {by_axis(its.size)} voxels, expected {by_axis(expected.size)} as in "
            f"{first.file}: restore both",
            case,
        )
    elif not np.allclose(its.spacing, expected.spacing):  # nnU-Net's own limit
        yield problem(
            KIND,
            f"case {case}: {file.file} has the spacing {exactly(its.spacing)}, expected {exactly(expected.spacing)} as "
            f"in {first.file}: nnU-Net refuses this; correct the header that is wrong",
            case,
        )
    elif its.affine is not None and expected.affine is not None:
        yield from places_differ(case, file, first, its.affine, expected.affine)


def places_differ(case: str, file: File, first: File, affine: np.ndarray, expected: np.ndarray) -> Iterator[Finding]:
    """Origin and direction: nnU-Net does not look at them, so half a voxel or more is a problem."""
    apart = farthest_corner(affine, expected, (*file.grid.size, 1)[:3])
    if apart <= ROUNDING_MM:
        return
    in_voxels = apart / min(first.grid.spacing)
    grade = problem if in_voxels > SAME_GRID_VOXELS else remark
    yield grade(
        KIND,
        f"case {case}: {file.file} lies {number(apart)} mm ({number(in_voxels)} voxels) off: origin "
        f"{exactly(affine[:3, 3])} mm and axes {axes_of(affine)}, expected {exactly(expected[:3, 3])} mm and "
        f"{axes_of(expected)} as in {first.file}; nnU-Net lays voxel on voxel and goes on: compare both in a viewer "
        "and correct the header that is wrong",
        case,
    )


def axes_of(affine: np.ndarray) -> str:
    """Where a file's axes point to, each to the nearest of R, L, A, P, S, I."""
    return "".join(axis or "?" for axis in nibabel.aff2axcodes(affine))


def geometry_across(records: Sequence[CaseRecord]) -> Iterator[Finding]:
    """Cases whose number of axes, size, spacing or directions are not like the others'."""
    seen: Seen = [(record, record.main_file) for record in records if record.main_file]
    if not seen:
        return
    axes = usual_axes([file.grid for _, file in seen])
    for record, file in seen:
        if len(file.grid.size) != axes:
            text = (
                f"case {record.name}: {file.file} has {len(file.grid.size)} axes, expected {axes} as in most cases: "
                "put pictures and volumes into different data sets"
            )
            yield problem(KIND, text, record.name)
    alike = [(record, file) for record, file in seen if len(file.grid.size) == axes]
    yield from far_from_median(alike, lambda grid: grid.size, "size", "voxels")
    yield from far_from_median(alike, lambda grid: grid.spacing, "spacing", "mm")
    yield from other_directions(alike)


def far_from_median(
    seen: Seen, values_of: Callable[[Grid], Sequence[float]], what: str, unit: str
) -> Iterator[Finding]:
    """Cases that differ from the median of all along some axis by more than the factor `OUTLIER`."""
    median = np.median([values_of(file.grid) for _, file in seen], axis=0)
    for record, file in seen:
        values = values_of(file.grid)
        ratios = np.array(values) / median
        if ratios.max() > OUTLIER or ratios.min() < 1 / OUTLIER:
            text = (
                f"case {record.name}: {file.file} has the {what} {by_axis(values)} {unit}, the median is "
                f"{by_axis(median)}: look whether its header is right and the case belongs here"
            )
            yield remark(KIND, text, record.name)


def other_directions(seen: Seen) -> Iterator[Finding]:
    """Cases whose axes point elsewhere than most others'; nnU-Net does not turn them."""
    codes = [(record, file, axes_of(file.grid.affine)) for record, file in seen if file.grid.affine is not None]
    if not codes:
        return
    usual = Counter(code for _, _, code in codes).most_common(1)[0][0]
    for record, file, code in codes:
        if code != usual:
            text = (
                f"case {record.name}: {file.file} has the axes {code}, most cases have {usual}: nnU-Net trains on "
                "voxels as they are stored; turn image and label alike"
            )
            yield remark(KIND, text, record.name)
