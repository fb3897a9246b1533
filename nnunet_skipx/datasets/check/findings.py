"""From the numbers of single cases to findings: channels, label values, intensities."""

import math
from collections.abc import Iterator

from nnunet_skipx.datasets.check.geometry import geometry_within
from nnunet_skipx.datasets.check.records import CaseRecord, Channel, LabelRecord, RawDataset
from nnunet_skipx.datasets.check.words import Finding, number, problem, remark

RGB_NAME, RGB_RANGE = "rgb_to_0_1", (0, 255)


def case_findings(record: CaseRecord, dataset: RawDataset) -> list[Finding]:
    """All that one case tells without the others."""
    return [
        *(problem("Files", sentence, record.name) for sentence in record.unreadable),
        *channel_findings(record, dataset),
        *geometry_within(record),
        *label_findings(record, dataset),
        *intensity_findings(record, dataset),
    ]


def channel_findings(record: CaseRecord, dataset: RawDataset) -> Iterator[Finding]:
    """Missing and superfluous channels; nothing where a file could not be read."""
    if record.unreadable or not record.channels:
        return
    names = dataset.channel_names
    expected, have = len(names), len(record.channels)
    listed = ", ".join(f"{position} {name}" for position, name in enumerate(names))
    said = f"expected {expected} as in dataset.json ({listed})"
    files = list(dict.fromkeys(channel.file for channel in record.channels))
    if len(files) < have or dataset.is_rgb or "dataset" in dataset.description:  # channels in one file, or any names
        if have != expected:
            text = f"{', '.join(files)} has {have} channels, {said}: save it with {expected}, or correct dataset.json"
            yield problem("Files", f"case {record.name}: {text}", record.name)
        return
    there = {file.rsplit("/", 1)[-1] for file in files}
    wanted = [f"{record.name}_{position:04d}{dataset.file_ending}" for position in range(expected)]
    if missing := [name for name in wanted if name not in there]:
        text = f"images{record.part}/{missing[0]} is missing, {said}: restore the channel, or remove the case"
        yield problem("Files", f"case {record.name}: {text}", record.name)
    if extra := sorted(there - set(wanted)):
        text = f"images{record.part}/{extra[0]} is a channel too many, {said}: remove it, or add it there"
        yield problem("Files", f"case {record.name}: {text}", record.name)


def label_findings(record: CaseRecord, dataset: RawDataset) -> Iterator[Finding]:
    """Values that dataset.json does not know, and label files without any foreground."""
    label, labels = record.label, dataset.labels
    if label is None:
        return
    about = f"case {record.name}: {label.file}"
    if label.channels != 1:
        text = f"{about} has {label.channels} channels, expected 1 that holds ids: save it as a grey picture"
        yield problem("Labels", text, record.name)
    if label.not_finite:
        text = f"{about} has {label.not_finite} voxels that are NaN or infinite, expected ids: restore it"
        yield problem("Labels", text, record.name)
    if unknown := sorted(set(label.voxels) - set(labels.known)):
        text = f"{about} holds {unknown_values(label, unknown)}, expected only {labels.known} as in dataset.json"
        yield problem("Labels", f"{text}: correct the label file, or add the label there", record.name)
    elif not set(label.voxels) - set(labels.not_foreground):
        what = "background and the ignore label" if labels.ignored else "background"
        text = f"{about} holds nothing but {what}: keep the case only if it shows none of the structures"
        yield remark("Labels", text, record.name)


def unknown_values(label: LabelRecord, unknown: list[float], at_most: int = 5) -> str:
    """The first of them with their numbers of voxels."""
    told = ", ".join(f"{value:g} ({label.voxels[value]} voxels)" for value in unknown[:at_most])
    return f"the value{'s' if len(unknown) > 1 else ''} {told}{', ...' if len(unknown) > at_most else ''}"


def intensity_findings(record: CaseRecord, dataset: RawDataset) -> Iterator[Finding]:
    """Voxels that are no numbers, channels without contrast, and colours that nnU-Net refuses."""
    for file, count in {channel.file: channel.not_finite for channel in record.channels}.items():
        if count:
            text = f"case {record.name}: {file} has {count} voxels that are NaN or infinite, expected numbers"
            yield problem(
                "Intensities", f"{text}: nnU-Net takes them for 0, or the loss becomes NaN; restore it", record.name
            )
    names = [*dataset.channel_names, *["?"] * len(record.channels)]  # one too many is told of elsewhere
    for position, channel in enumerate(record.channels):
        about, which = f"case {record.name}: {channel.file}", f"channel {position} ({names[position]})"
        if channel.is_constant:
            text = f"{about} holds {number(channel.low)} everywhere in {which}, expected an image"
            yield problem("Intensities", f"{text}: restore it, or remove the case", record.name)
        elif names[position].casefold() == RGB_NAME and is_no_colour(channel):
            text = f"{about} has values from {number(channel.low)} to {number(channel.high)} in {which}"
            cure = "nnU-Net refuses others; rescale them, or rename the channel in dataset.json"
            yield problem("Intensities", f"{text}, expected 0 to 255: {cure}", record.name)


def is_no_colour(channel: Channel) -> bool:
    """Whether values lie outside those of 8 bits."""
    return not math.isnan(channel.low) and (channel.low < RGB_RANGE[0] or channel.high > RGB_RANGE[1])
