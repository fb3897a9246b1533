"""What the rows have in common: which rows are networks of their own, and how families of them compare."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import pandas as pd

from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.report.twins import trainer_in, twins_among
from nnunet_skipx.statistics.families import FEWEST_NETWORKS, FEWEST_PAIRS, FamilyContrast, family_contrasts
from nnunet_skipx.statistics.text import NONE, format_p
from nnunet_skipx.training.families import families

COMPARED = {"between": "between networks", "within": "networks and themselves without it"}


def families_compared(
    values: Mapping[str, float], removed: Callable[[str], Sequence[str]], rope: float
) -> list[FamilyContrast]:
    """Families among rows, given their means and what says of a row which ingredients it lacks.

    Between networks count those that lack nothing, within networks rows beside twins that lack one family alone. All
    rows of a trainer are one value: rows of one network that differ in its options are no two networks. Empty where
    there are too few for any interval.
    """
    found = {row: families(trainer_in(row), removed(row)) for row in values}
    members: dict[str, frozenset[str]] = {}
    rows: dict[str, list[float]] = {}
    for row, value in values.items():
        trainer, of = trainer_in(row), found[row]
        if of is not None and not trainer.twin_options:
            members[trainer.base] = of
            rows.setdefault(trainer.base, []).append(value)
    lacking: dict[str, dict[str, list[float]]] = {}
    for row, twin in twins_among(list(values)):
        lost = [*((found[row] or frozenset()) - (found[twin] or frozenset()))]
        if len(lost) == 1:
            differences = lacking.setdefault(lost[0], {}).setdefault(trainer_in(row).base, [])
            differences.append(values[row] - values[twin])
    pairs = {family: {name: fmean(of) for name, of in by_name.items()} for family, by_name in lacking.items()}
    compared = family_contrasts(members, {name: fmean(of) for name, of in rows.items()}, pairs, rope)
    return compared if any(one.low == one.low for one in compared) else []


def families_table(found: Sequence[FamilyContrast]) -> pd.DataFrame:
    """A line per family and way to compare."""
    return pd.DataFrame([_line(one) for one in found])


def _line(one: FamilyContrast) -> dict[str, str]:
    known = one.low == one.low
    fewest = FEWEST_NETWORKS if one.kind == "between" else FEWEST_PAIRS
    interval = f" [{one.low:+.3f}, {one.high:+.3f}]" if known else f", no interval below {fewest}"
    return {
        "Ingredient": one.family,
        "Compared": COMPARED[one.kind],
        "With": _names(one.having),
        "Without": _names(one.lacking) if one.kind == "between" else "the same",
        "Difference [95 % CI]": f"{one.value:+.3f}{interval}",
        "Verdict": one.verdict if known else "few networks",
        "t-test (Holm)": format_p(one.p) if known else NONE,
        "TOST (Holm)": format_p(one.outside) if known else NONE,
    }


def _names(trainers: Sequence[str]) -> str:
    """The networks, nnU-Net's first."""
    return ", ".join(trainer.removeprefix(BASELINE) or "nnU-Net" for trainer in sorted(trainers))
