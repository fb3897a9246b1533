"""The first screen of a data set: what was decided of every row, in a word, a sentence and a plot, and its cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.forest import Mark, Scale, scale_of
from nnunet_skipx.report.wording import without
from nnunet_skipx.results.row_cost import RowCost
from nnunet_skipx.statistics.contrasts import Contrast, Row
from nnunet_skipx.statistics.text import NONE, format_interval, format_signed
from nnunet_skipx.statistics.verdict import Verdict

COSTS = {  # of RowCost: heading, and how the baseline's own is written
    "gflops": ("GFLOPs", "{:.3g}"),
    "parameters": ("Parameters", "{:.3g} M"),
    "seconds_per_epoch": ("s / epoch", "{:.3g} s"),
}
MILLION = 1e6


@dataclass(frozen=True)
class Line:
    """A row against the baseline, the baseline itself, or a row against its twin.

    word: the verdict's; note: what the word leaves out. mean is None where it stands in another line.
    costs: by heading, the baseline's own, others as a multiple of it.
    """

    name: str
    whole_name: str
    word: str
    note: str
    mean: Mark | None
    mean_text: str
    difference: Mark | None
    difference_text: str
    costs: dict[str, str]
    sentence: str

    @property
    def word_class(self) -> str:
        """The class of the word in the page's style sheet."""
        return self.word if self.word in get_args(Verdict) else "plain"


@dataclass(frozen=True)
class Screen:
    """The lines with their scales; band: places of the ends of the region of equivalence, zero: that of 0.

    beyond: whether the mean of a line lies beyond its scale.
    """

    baseline: str
    lines: Sequence[Line]
    twins: Sequence[Line]
    cost_headings: Sequence[str]
    mean_ticks: Sequence[tuple[float, str]]
    difference_ticks: Sequence[tuple[float, str]]
    zero: float
    band: tuple[float, float]
    band_text: str
    beyond: bool


def first_screen(comparison: Comparison) -> Screen:
    """The verdicts of a data set, all on one scale."""
    means = scale_of([row.mean for row in comparison.rows])
    rope = comparison.rope
    differences = scale_of([c.difference.interval for c in comparison.contrasts], (0.0, rope, -rope))
    told = dict(zip(map(id, comparison.contrasts), comparison.sentences, strict=True))
    known = known_costs(comparison)
    lines = []
    for row in comparison.rows:
        contrast = comparison.contrast_with_baseline(row.name)
        sentence = told[id(contrast)] if contrast else ""
        lines.append(_line(comparison, row, contrast, sentence, means, differences, known))
    twins = [_twin_line(comparison, c, told[id(c)], differences) for c in comparison.contrasts if c.kind == "twin"]
    return Screen(
        baseline=comparison.short(comparison.baseline),
        lines=lines,
        twins=twins,
        cost_headings=[COSTS[name][0] for name in known],
        mean_ticks=means.ticks(),
        difference_ticks=differences.ticks(signed=True),
        zero=differences.percent(0.0),
        band=(differences.percent(-rope), differences.percent(rope)),
        band_text=f"within ± {rope:g} Dice",
        beyond=any(mark and mark.beyond for line in (*lines, *twins) for mark in (line.mean, line.difference)),
    )


def known_costs(comparison: Comparison) -> list[str]:
    """Those of the `COSTS` that any row has."""
    return [name for name in COSTS if any(getattr(cost, name) is not None for cost in comparison.costs.values())]


def cost_ratio(cost: RowCost, baseline: RowCost, name: str) -> str:
    """A row's cost as a multiple of the baseline's; a dash where one of the two is unknown.

    >>> cost_ratio(RowCost(gflops=3.0), RowCost(gflops=2.0), "gflops")
    '× 1.50'
    """
    own, stock = getattr(cost, name), getattr(baseline, name)
    return f"× {own / stock:.2f}" if own is not None and stock else NONE


def _line(
    comparison: Comparison,
    row: Row,
    contrast: Contrast | None,
    sentence: str,
    means: Scale,
    differences: Scale,
    known: Sequence[str],
) -> Line:
    word, _, note = (contrast.verdict or NONE).partition(", ") if contrast else ("baseline", "", "")
    stock = comparison.cost(comparison.baseline)
    costs = {
        COSTS[name][0]: cost_ratio(comparison.cost(row.name), stock, name) if contrast else _own(stock, name)
        for name in known
    }
    return Line(
        name=comparison.short(row.name),
        whole_name=row.name,
        word=word,
        note=note,
        mean=means.mark(row.mean),
        mean_text=format_interval(row.mean),
        difference=differences.mark(contrast.difference.interval) if contrast else None,
        difference_text=format_signed(contrast.difference.interval) if contrast else "",
        costs=costs,
        sentence=comparison.shortened(sentence),
    )


def _twin_line(comparison: Comparison, contrast: Contrast, sentence: str, differences: Scale) -> Line:
    lacks = without(comparison.removed(contrast.against))
    word, _, note = (contrast.verdict or NONE).partition(", ")
    return Line(
        name=f"{comparison.short(contrast.row)} against {comparison.short(contrast.against)}",
        whole_name=f"{contrast.row} against its twin{lacks}",
        word=word,
        note=note,
        mean=None,
        mean_text=lacks.strip(),
        difference=differences.mark(contrast.difference.interval),
        difference_text=format_signed(contrast.difference.interval),
        costs={},
        sentence=comparison.shortened(sentence),
    )


def _own(cost: RowCost, name: str) -> str:
    value = getattr(cost, name)
    if value is None:
        return NONE
    return COSTS[name][1].format(value / MILLION if name == "parameters" else value)
