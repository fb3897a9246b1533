"""Numbers, intervals and p as text."""

import math

from nnunet_skipx.statistics.means import Interval

NONE = "–"
HALF_A_DIGIT = 0.0005


def format_interval(interval: Interval) -> str:
    """0.843 [0.830, 0.855]; without the bracket where there are too few cases for an interval.

    >>> format_interval(Interval(0.843, 0.83, 0.855, 0.04, 20, 0))
    '0.843 [0.830, 0.855]'
    """
    if math.isnan(interval.low):
        return f"{number(interval.value, '.3f')} (n = {interval.n})"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def format_signed(interval: Interval) -> str:
    """+0.012 [+0.004, +0.020]; without the bracket where there are too few cases for an interval.

    >>> format_signed(Interval(0.012, 0.004, 0.02, 0.04, 20, 0))
    '+0.012 [+0.004, +0.020]'
    """
    if math.isnan(interval.low):
        return f"{number(interval.value, '+.3f')} (n = {interval.n})"
    value, low, high = signed_numbers(interval)
    return f"{value} [{low}, {high}]"


def format_p(p: float) -> str:
    """p = 0.034; never 0 or 1, which no p is.

    >>> format_p(0.0341), format_p(0.0)
    ('p = 0.034', 'p < 0.001')
    """
    if math.isnan(p):
        return NONE
    if p < 0.001:
        return "p < 0.001"
    return "p > 0.999" if p > 0.999 else f"p = {p:.3f}"


def signed_numbers(interval: Interval) -> tuple[str, str, str]:
    """Value and ends of a difference, with a fourth digit where an end would else look like 0.

    >>> signed_numbers(Interval(0.001, 0.0002, 0.0018, 0.01, 100, 0))
    ('+0.0010', '+0.0002', '+0.0018')
    """
    digits = 4 if min(abs(interval.low), abs(interval.high)) < HALF_A_DIGIT else 3
    value, low, high = (f"{x:+.{digits}f}" for x in (interval.value, interval.low, interval.high))
    return value, low, high


def number(value: float, form: str) -> str:
    """A value in that form, and a dash for one that is not known.

    >>> number(0.84321, ".3f"), number(float("nan"), ".3f")
    ('0.843', '–')
    """
    return NONE if math.isnan(value) else format(value, form)
