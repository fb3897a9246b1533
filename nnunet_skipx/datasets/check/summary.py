"""The table of a data set: median, smallest and largest of what its cases have."""

from collections.abc import Iterator, Sequence

import numpy as np

from nnunet_skipx.datasets.check.records import CaseRecord, RawDataset, usual_axes
from nnunet_skipx.datasets.check.words import by_axis, number
from nnunet_skipx.datasets.protocol import protocol_in

Row = dict[str, str]


def summary_table(records: Sequence[CaseRecord], dataset: RawDataset) -> list[Row]:
    """Rows of sizes, spacings, intensity ranges and label volumes, each with the number of cases behind it."""
    return [*grid_rows(records), *channel_rows(records, dataset), *label_rows(records, dataset)]


def grid_rows(records: Sequence[CaseRecord]) -> Iterator[Row]:
    """Size and, where files have one, spacing: median, smallest and largest of each axis by itself."""
    grids = [record.main_file.grid for record in records if record.main_file]
    if not grids:
        return
    axes = usual_axes(grids)
    grids = [grid for grid in grids if len(grid.size) == axes]
    unit = "pixels" if grids[0].unit == "pixels" else "voxels"
    yield row(f"size ({', '.join('xyz'[:axes])}), {unit}", [grid.size for grid in grids], len(records))
    if any(grid.affine is not None for grid in grids):
        yield row("spacing, mm", [grid.spacing for grid in grids], len(records))


def channel_rows(records: Sequence[CaseRecord], dataset: RawDataset) -> Iterator[Row]:
    """The lowest and the highest value of each channel."""
    for position, name in enumerate(dataset.channel_names):
        channels = [record.channels[position] for record in records if len(record.channels) > position]
        channels = [channel for channel in channels if np.isfinite(channel.low)]
        if channels:
            about = f"channel {position} {name}"
            yield row(f"{about}, lowest", [(channel.low,) for channel in channels], len(records))
            yield row(f"{about}, highest", [(channel.high,) for channel in channels], len(records))


def label_rows(records: Sequence[CaseRecord], dataset: RawDataset) -> Iterator[Row]:
    """The volume of each label or region, over the training cases that hold it."""
    training = [record for record in records if record.is_training_label]
    labelled = [(record.label.grid.unit, record.volumes(dataset.labels)) for record in training if record.label]
    for name in dataset.labels.drawn if labelled else ():
        held = [(volumes[name],) for _, volumes in labelled if volumes[name]]
        title = f"label {name}, {labelled[0][0]}"
        yield row(title, held, len(labelled)) if held else row_of(title, ("", "", ""), 0, len(labelled))


def row(title: str, values: Sequence[Sequence[float]], of: int) -> Row:
    """Of one value for each case, or one per axis."""
    table = np.array(values, dtype=float)
    median, low, high = (by_axis(np.asarray(reduce(table, axis=0))) for reduce in (np.median, np.min, np.max))
    return row_of(title, (median, low, high), len(values), of)


def row_of(title: str, cells: tuple[str, str, str], cases: int, of: int) -> Row:
    """Its keys are the heads of the columns."""
    return {"": title, "median": cells[0], "min": cells[1], "max": cells[2], "cases": f"{cases} of {of}"}


def headline(records: Sequence[CaseRecord], dataset: RawDataset) -> str:
    """How many cases there are, and of which protocol."""
    protocol = protocol_in(dataset.description)
    training = sum(record.part == "Tr" for record in records)
    test = len(records) - training
    labelled = sum(record.part == "Ts" and record.label is not None for record in records)
    return (
        f"{training} training cases{f', {test} in imagesTs' if test else ''}"
        f"{f', {labelled} of them with a label' if labelled else ''}"
        f"{f', protocol {protocol.name}' if protocol else ''}"
    )


def caption(record: CaseRecord, dataset: RawDataset) -> list[str]:
    """What stands under a thumbnail: size, spacing, intensity ranges and label volumes, a line each."""
    lines = []
    if record.main_file:
        grid = record.main_file.grid
        lines += [f"{by_axis(grid.size)} {'pixels' if grid.unit == 'pixels' else 'voxels'}"]
        lines += [f"{by_axis(grid.spacing)} mm"] if grid.affine is not None else []
    for channel, name in zip(record.channels, dataset.channel_names, strict=False):
        lines.append(f"{name} {number(channel.low)} to {number(channel.high)}")
    if record.label:
        held = {name: volume for name, volume in record.volumes(dataset.labels).items() if volume}
        told = ", ".join(f"{name} {number(volume)}" for name, volume in held.items())
        lines.append(f"{told} {record.label.grid.unit}" if told else "no foreground")
    return lines
