"""Intensities of the cases against each other: another scale, and CT that is none."""

from collections.abc import Iterator, Sequence

import numpy as np

from nnunet_skipx.datasets.check.records import CaseRecord, Channel, RawDataset
from nnunet_skipx.datasets.check.words import Finding, number, remark

KIND = "Intensities"
FAR = 50  # times the median of the other cases, or a part of it: scanners differ by less, formats by 255 or 4095
FEWEST = 3  # cases: of two that differ, neither is the odd one
CT_NAME, FAT_HU = "ct", -100  # every scan of a body has fat, if not air, below
HOUNSFIELD = "expected Hounsfield units with air at -1000 and fat at -100: do not shift, scale or clip CT"


def other_scales(records: Sequence[CaseRecord], dataset: RawDataset) -> Iterator[Finding]:
    """One remark for each case whose values are much larger or smaller than the other cases' in some channel."""
    told: dict[str, list[str]] = {}
    for position, name in enumerate(dataset.channel_names):
        for case, sentence in odd_ones(channels_at(records, position), f"channel {position} ({name})"):
            told.setdefault(case, []).append(sentence)
    for case, sentences in told.items():
        text = f"case {case}: {'; '.join(sentences)}"
        yield remark(KIND, f"{text}: look whether it was saved with another scale, or is of another kind", case)


def channels_at(records: Sequence[CaseRecord], position: int) -> list[tuple[str, Channel]]:
    """Case and channel of all that have one of this number with any contrast."""
    found = [(record.name, record.channels[position]) for record in records if len(record.channels) > position]
    return [(case, channel) for case, channel in found if size_of(channel) > 0 and not channel.is_constant]


def size_of(channel: Channel) -> float:
    """How large its values are: of the middle 99 %, or of all where these are 0; 0 where there is no number."""
    for ends in (channel.usual, (channel.low, channel.high)):
        if np.isfinite(ends).all() and (size := float(np.abs(ends).max())) > 0:
            return size
    return 0.0


def odd_ones(channels: Sequence[tuple[str, Channel]], which: str) -> Iterator[tuple[str, str]]:
    """Cases far from the median of the others, and how far."""
    sizes = np.array([size_of(channel) for _, channel in channels])
    for i, (case, channel) in enumerate(channels if len(channels) >= FEWEST else ()):
        median = float(np.median(np.delete(sizes, i)))
        if not median / FAR <= sizes[i] <= median * FAR:
            times = f"{number(sizes[i] / median)} times" if sizes[i] > median else f"1/{number(median / sizes[i])} of"
            ends = f"from {number(channel.low)} to {number(channel.high)} in {which}"
            yield case, f"{channel.file} has values {ends}, {times} the median size of the others, {number(median)}"


def not_hounsfield(records: Sequence[CaseRecord], dataset: RawDataset) -> Iterator[Finding]:
    """Channels named CT without a value below that of fat; one remark where no case has any."""
    for position in (i for i, name in enumerate(dataset.channel_names) if name.casefold() == CT_NAME):
        scans = [(record.name, record.channels[position]) for record in records if len(record.channels) > position]
        odd = [(case, scan) for case, scan in scans if scan.low > FAT_HU and not scan.is_constant]
        if len(odd) == len(scans) > 1:
            low, high = min(scan.low for _, scan in odd), max(scan.high for _, scan in odd)
            text = f"channel {position} (CT) has values from {number(low)} to {number(high)} in all {len(odd)} cases"
            yield remark(KIND, f"{text}, {HOUNSFIELD}")
            continue
        for case, scan in odd:
            text = f"case {case}: {scan.file} has values from {number(scan.low)} to {number(scan.high)}"
            yield remark(KIND, f"{text}, {HOUNSFIELD}", case)
