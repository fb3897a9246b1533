"""A forest plot as places in per cent of a scale, which the template draws as lines that follow the page's width."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from nnunet_skipx.statistics.estimate import ROUNDING
from nnunet_skipx.statistics.means import Interval

MARGIN = 4.0  # per cent left free at both ends, so that no mark is cut
NARROWEST, PLAIN = 1e-4, 0.1  # values of less range than the digits shown are drawn on a plain scale
PIECES = 5  # at most, between ticks; fewer might leave a single tick
FENCE = 3.0  # times the width of the middle half of the means: one row beyond it would flatten all others
LEFT, RIGHT = 1.0, 99.0  # per cent, where that is drawn


@dataclass(frozen=True)
class Mark:
    """A mean and the ends of its interval, in per cent from the left; ends are None without an interval.

    beyond: an arrow to the side where the mean lies beyond the plot.
    """

    value: float
    low: float | None
    high: float | None
    beyond: str = ""


@dataclass(frozen=True)
class Scale:
    """What the left and the right end of a plot stand for."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Place of a value, from the left; beyond the ends of the scale at the edge.

        >>> Scale(0.0, 1.0).percent(0.5), Scale(0.0, 1.0).percent(2)
        (50.0, 99.0)
        """
        if self.low <= value <= self.high:
            return round(MARGIN + (100 - 2 * MARGIN) * (value - self.low) / (self.high - self.low), 3)
        return LEFT if value < self.low else RIGHT

    def mark(self, interval: Interval) -> Mark | None:
        """Where an interval is drawn; None where there is no value."""
        if math.isnan(interval.value):
            return None
        value = self.percent(interval.value)
        beyond = {LEFT: "◂", RIGHT: "▸"}.get(value, "")
        if math.isnan(interval.low):
            return Mark(value, None, None, beyond)
        return Mark(value, self.percent(interval.low), self.percent(interval.high), beyond)

    def ticks(self, signed: bool = False) -> list[tuple[float, str]]:
        """Place and text of two to six round numbers, with as many digits as tell them apart.

        >>> Scale(0.0, 1.0).ticks()
        [(4.0, '0'), (22.4, '0.2'), (40.8, '0.4'), (59.2, '0.6'), (77.6, '0.8'), (96.0, '1.0')]
        """
        found = MaxNLocator(PIECES, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        digits = max(0, math.ceil(-math.log10(found[1] - found[0]) - ROUNDING))
        rounded = (float(np.round(tick, digits)) for tick in found)
        kept = [tick for tick in rounded if self.low - ROUNDING <= tick <= self.high + ROUNDING]
        form = f"{'+' if signed else ''}.{digits}f"
        return [(self.percent(tick), format(tick, form) if tick else "0") for tick in kept]


def scale_of(intervals: Sequence[Interval], more: Iterable[float] = ()) -> Scale:
    """The scale that holds all values and ends but those far from the others, and some values more.

    >>> scale_of([Interval(0.5, 0.4, 0.6, 0.1, 9, 0)], [0.0])
    Scale(low=0.0, high=0.6)
    """
    known = [*_near([interval for interval in intervals if not math.isnan(interval.value)]), *more] or [0.0]
    low, high = min(known), max(known)
    return Scale(low, high) if high - low >= NARROWEST else Scale(low - PLAIN / 2, low + PLAIN / 2)


def _near(intervals: Sequence[Interval]) -> list[float]:
    """Means and ends within the fence around the middle half of the means."""
    if not intervals:
        return []
    first, third = np.percentile([interval.value for interval in intervals], [25, 75])
    widths = [0.0 if math.isnan(interval.low) else interval.high - interval.low for interval in intervals]
    fence = FENCE * max(third - first, float(np.median(widths)))
    ends = (end for interval in intervals for end in (interval.value, interval.low, interval.high))
    return [end for end in ends if first - fence <= end <= third + fence]
