"""Numbers and intervals as text."""

import math

from nnunet_skipx.statistics.means import Interval

NONE = "–"


def format_interval(interval: Interval) -> str:
    """0.843 [0.830, 0.855]; without the bracket where there are too few cases for an interval.

    >>> format_interval(Interval(0.843, 0.83, 0.855, 0.04, 20, 0))
    '0.843 [0.830, 0.855]'
    """
    if math.isnan(interval.low):
        return f"{number(interval.value, '.3f')} (n = {interval.n})"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def number(value: float, form: str) -> str:
    """A value in that form, and a dash for one that is not known.

    >>> number(0.84321, ".3f"), number(float("nan"), ".3f")
    ('0.843', '–')
    """
    return NONE if math.isnan(value) else format(value, form)
