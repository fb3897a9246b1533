"""Dice, and where a class was absent."""

from nnunet_skipx.report import tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.sections.section import Section
from nnunet_skipx.report.wording import EMPTY_RULES
from nnunet_skipx.statistics.estimate import FEWEST_CASES


def result_section(comparison: Comparison) -> Section:
    """Dice, and where a class was absent."""
    return Section(
        "Result",
        "Dice with its 95 % confidence interval. Mean: over the classes of a case, then over cases; SD: over cases; "
        "foreground_mean, where it differs: over cases, then over classes, as in nnU-Net's summaries. "
        "Intervals and tests are t laws of a mean over cases and trained networks, which are both a sample: with "
        f"replicates the variance of training is estimated, without them {without_replicates(comparison)}; fewer than "
        f"{FEWEST_CASES} cases have none. "
        f"Better, worse: the mean difference is not 0; equivalent: it is within {comparison.rope:g} Dice, and "
        '"but by less than matters" if both; undecided is not equal. ' + left_out(comparison),
        tables.result_table(comparison),
    )


def without_replicates(comparison: Comparison) -> str:
    """What stands for the variance of training."""
    if comparison.ensemble:
        return f"the intervals are over cases only, as each row is one {comparison.trained}, and nothing is decided"
    return "the scatter between folds stands for it, and the wider of the intervals over folds and over cases is shown"


def left_out(comparison: Comparison) -> str:
    """How a class that is absent was counted, and how often it was."""
    counts = [
        f"{row.name}, {label}: {interval.dropped}"
        for row in comparison.rows
        for label, interval in row.per_class.items()
        if interval.dropped
    ]
    if not counts:
        return comparison.convention
    told = f"Left out of means for that reason (cases): {'; '.join(counts)}."
    return f"{comparison.convention} {told} {EMPTY_RULES[comparison.empty]}"
