"""What is known of each metric: which way is better, what it can be, and what a rightly absent structure counts.

In a table a metric's name may end in its setting, so that no number stands without it: "NSD (1 mm)".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Better = Literal["higher", "lower", "neither"]
INFINITY, NAN = float("inf"), float("nan")


@dataclass(frozen=True)
class Metric:
    """better: which way. bounds: smallest and largest value. setting: an example of what stands in brackets, if any.

    absent: what counts, between rows, for one that rightly predicts nothing where the reference has nothing and another
    row predicts something: the best value. NaN where such a structure has no value, or has one anyway.
    counted_by: a number that is known wherever the label maps were read, and tells a rightly absent structure from a
    map that nobody could read. Empty: nnU-Net's Dice tells, which is NaN for the former.
    of_found: whether a structure that is missed has no value, so that who misses the hard ones looks better.
    """

    better: Better = "higher"
    bounds: tuple[float, float] = (0.0, 1.0)
    absent: float = NAN
    counted_by: str = ""
    setting: str = ""
    of_found: bool = False

    @property
    def span(self) -> float:
        """How far two values can be apart."""
        return self.bounds[1] - self.bounds[0]

    @property
    def sign(self) -> int:
        """+1 where more is better, -1 where less is, 0 where neither is."""
        return {"higher": 1, "lower": -1, "neither": 0}[self.better]


DICE = "Dice"
SHARE = Metric(absent=1.0)
MATCHED = "IoU > 0.5"
OF_LESIONS = Metric(absent=1.0, counted_by="lesion FP", setting=MATCHED)
AMOUNT = Metric("lower", (0.0, INFINITY))
METRICS = {
    DICE: SHARE,
    "IoU": SHARE,
    "volume error": Metric("neither", (-1.0, INFINITY)),
    "absolute volume error": AMOUNT,
    "NSD": replace(SHARE, setting="1 mm"),
    "HD95": replace(AMOUNT, setting="mm, found only", of_found=True),
    "HD95 with misses": replace(AMOUNT, absent=0.0, setting="mm, image diagonal"),
    "lesion F1": OF_LESIONS,
    "lesion SQ": Metric(setting=MATCHED, of_found=True),
    "lesion PQ": OF_LESIONS,
    "lesion sensitivity": Metric(setting=MATCHED),
    "lesion FP": replace(AMOUNT, setting=MATCHED),
    "ECE": Metric("lower", setting="10 bins", of_found=True),
    "Brier score": replace(AMOUNT, setting="x 1000"),
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


def spelled(text: str) -> str:
    """A metric's name as tables have it, from one in small letters or with hyphens for blanks; its setting as it is.

    Raises ValueError for one that nothing is known of.

    >>> spelled("hd95-with-misses"), spelled("nsd (1 mm)")
    ('HD95 with misses', 'NSD (1 mm)')
    """
    asked, bracket, setting = text.strip().partition(" (")
    by_letters = {name.lower(): name for name in METRICS}
    name = by_letters.get(asked.replace("-", " ").lower(), asked)
    metric_of(name)
    return name + bracket + setting


def found_in(asked: str, names: Iterable[str]) -> str | None:
    """That of the names which is meant, with its setting or by its name alone; None for none.

    >>> found_in("NSD", ["Dice", "NSD (1 mm)"]), found_in("NSD (2 mm)", ["Dice", "NSD (1 mm)"])
    ('NSD (1 mm)', None)
    """
    return next((name for name in names if asked in (name, base_name(name))), None)


def quantity(value: float, name: str) -> str:
    """An amount of a metric in words, with its unit, which is in the setting.

    >>> quantity(0.01, "Dice"), quantity(2, "HD95 with misses (mm, image diagonal)")
    ('0.01 Dice', '2 in HD95 with misses (mm, image diagonal)')
    """
    return f"{value:g} {name}" if name == DICE else f"{value:g} in {name}"


def require_margin(value: float, name: str) -> None:
    """ValueError for what is no margin of non-inferiority in that metric.

    >>> require_margin(2, "HD95 with misses")
    """
    known = metric_of(name)
    if not known.sign:
        raise ValueError(f"--margin in {name}: neither more nor less of it is better, so that nothing is worse by it")
    if not 0 < value < known.bounds[1]:
        raise ValueError(f"--margin {value:g} is no margin: give a difference in {name}, for example 0.01")


def require_failure(value: float, name: str) -> None:
    """ValueError for what tells no failed case in that metric from others.

    >>> require_failure(0.5, "Dice")
    """
    known = metric_of(name)
    if not known.sign:
        raise ValueError(f"--failure in {name}: neither more nor less of it is better, so that nothing fails by it")
    if not 0 < value <= known.bounds[1]:
        raise ValueError(f"--failure {value:g} is no {name}: give one above 0, for example 0.5")
