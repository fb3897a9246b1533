"""Metrics other than Dice in words: what they are, which way is better, and what took them."""

from collections.abc import Sequence

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.results.tools import taken_by
from nnunet_skipx.results.wanted import BINS, CALIBRATION
from nnunet_skipx.statistics.contrasts import MetricRow
from nnunet_skipx.statistics.metric import base_name, metric_of

READINGS = {  # beginning of a metric's name -> what it is
    "volume error": "Volume error: (predicted - reference) / reference; of the signed one neither more nor less is "
    "better, of the absolute one lower is.",
    "NSD": "NSD: share of both surfaces within the tolerance in brackets of the other.",
    "HD95": "HD95: the larger of the 95th percentiles of the distances from either boundary to the other; lower is "
    "better. Found only: a structure that is missed altogether, or invented, has no distance and is left out, which "
    "flatters who misses; with misses it counts as the diagonal of the image in mm.",
    "lesion": "Lesions: connected by faces, edges or corners, matched one to one where their IoU is above that in "
    "brackets; smaller ones than a volume in brackets do not count. With TP matched pairs, FP and FN lesions of "
    "prediction and reference without partner: F1 = 2 TP / (2 TP + FP + FN), the RQ of panoptic quality; SQ: mean IoU "
    "of the pairs, left out where there is none; PQ = F1 x SQ; sensitivity = TP / (TP + FN), left out where the "
    "reference has none; FP: per case and class, lower is better.",
}


def metric_lines(comparison: Comparison) -> list[MetricRow]:
    """All but Dice and those of probabilities."""
    return [line for line in comparison.metric_rows if line.metric not in CALIBRATION]


def calibration_lines(comparison: Comparison) -> list[MetricRow]:
    """Those of probabilities."""
    return [line for line in comparison.metric_rows if line.metric in CALIBRATION]


def metric_reading(comparison: Comparison) -> str:
    """How to read the table of other metrics."""
    metrics = _metrics(metric_lines(comparison))
    told = [text for start, text in READINGS.items() if any(name.startswith(start) for name in metrics)]
    return " ".join([*told, _common(metrics)])


def calibration_reading(comparison: Comparison) -> str:
    """How to read the table of calibration."""
    return (
        "Of the probabilities that nnUNetv2_train --npz wrote, class by class. ECE: expected calibration error of the "
        f"foreground, over the voxels that are given to a class, in {BINS} bins of equal width of the probability of "
        "that class: by how much it differs from the share of them that are right (Guo et al. 2017). It knows nothing "
        "of what was missed. Brier score: mean squared difference of probability and truth over all voxels of the "
        "image, background too, hence small: times 1000. Of both lower is better. "
        f"{_common(_metrics(calibration_lines(comparison)))}"
    )


def no_meaning(metrics: Sequence[str], tails: bool = False) -> str:
    """What the bad end or the small structures of some metrics cannot tell; empty where all can.

    >>> no_meaning(["Dice"])
    ''
    """
    told = [
        f"{name} is of what was found only: who misses a structure has none there."
        for name in metrics
        if metric_of(name).of_found
    ]
    told += [
        f"Of {name} neither end is bad, so that it has no tail."
        for name in metrics
        if tails and not metric_of(name).sign
    ]
    return "".join(f" {text}" for text in told)


def _common(metrics: Sequence[str]) -> str:
    return (
        "Mean over classes and cases; mean rank over the cases, 1 is best; verdicts and p as above, without a region "
        f"of equivalence, adjusted within the metric. Taken by: {taken_by(dict.fromkeys(map(base_name, metrics)))}."
    )


def _metrics(lines: Sequence[MetricRow]) -> list[str]:
    return list(dict.fromkeys(line.metric for line in lines))
