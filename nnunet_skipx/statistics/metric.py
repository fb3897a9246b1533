"""What is known of each metric: which way is better, what it can be, and what a rightly absent structure counts.

In a table a metric's name may end in its setting, so that no number stands without it: "NSD (1 mm)".
"""

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]
INFINITY, NAN = float("inf"), float("nan")


@dataclass(frozen=True)
class Metric:
    """better: which way. bounds: smallest and largest value.

    absent: what counts, between rows, for one that rightly predicts nothing where the reference has nothing and another
    row predicts something: the best value. NaN where such a structure has no value, or has one anyway.
    counted_by: a number that is known wherever the label maps were read, and tells a rightly absent structure from a
    map that nobody could read. Empty: nnU-Net's Dice tells, which is NaN for the former.
    """

    better: Better = "higher"
    bounds: tuple[float, float] = (0.0, 1.0)
    absent: float = NAN
    counted_by: str = ""

    @property
    def sign(self) -> int:
        """+1 where more is better, -1 where less is, 0 where neither is."""
        return {"higher": 1, "lower": -1, "neither": 0}[self.better]


SHARE = Metric(absent=1.0)
OF_LESIONS = Metric(absent=1.0, counted_by="lesion FP")
AMOUNT = Metric("lower", (0.0, INFINITY))
METRICS = {
    "Dice": SHARE,
    "IoU": SHARE,
    "volume error": Metric("neither", (-1.0, INFINITY)),
    "absolute volume error": AMOUNT,
    "NSD": SHARE,
    "HD95": AMOUNT,
    "HD95 with misses": Metric("lower", (0.0, INFINITY), absent=0.0),
    "lesion F1": OF_LESIONS,
    "lesion SQ": Metric(),
    "lesion PQ": OF_LESIONS,
    "lesion sensitivity": Metric(),
    "lesion FP": AMOUNT,
    "ECE": Metric("lower"),
    "Brier score": AMOUNT,
}


def base_name(name: str) -> str:
    """A metric's name without its setting.

    >>> base_name("NSD (1 mm)"), base_name("Dice")
    ('NSD', 'Dice')
    """
    return name.partition(" (")[0]


def metric_of(name: str) -> Metric:
    """By its name in a table, with or without a setting; ValueError for one that nothing is known of.

    >>> metric_of("HD95 (mm, found only)").better, metric_of("NSD (1 mm)").better
    ('lower', 'higher')
    """
    if base_name(name) not in METRICS:
        raise ValueError(f"nothing is known of the metric {name!r}; known are {', '.join(METRICS)}")
    return METRICS[base_name(name)]
