"""What networks have in common: those with an ingredient against those without, in which networks are the sample."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.t_law import TLaw
from nnunet_skipx.statistics.verdict import Verdict, verdict

FEWEST_NETWORKS = 4  # on either side; with 3 against 8 the test was wrong in up to 7 % of simulated studies
FEWEST_PAIRS = 3
Kind = Literal["between", "within"]


@dataclass(frozen=True)
class FamilyContrast:
    """Networks with an ingredient, and what they are compared with.

    kind: "between" different networks, or "within" networks, each against itself without the ingredient.
    having, lacking: names; within networks the same ones. value, low, high: mean difference with its 95 % CI.
    p, outside, verdict: as those of a contrast, after Holm's adjustment over all of them. NaN with too few networks.
    """

    family: str
    kind: Kind
    having: tuple[str, ...]
    lacking: tuple[str, ...]
    value: float
    low: float
    high: float
    p: float
    outside: float
    verdict: Verdict = "undecided"


def family_contrasts(
    members: Mapping[str, frozenset[str]],
    means: Mapping[str, float],
    pairs: Mapping[str, Mapping[str, float]],
    rope: float,
) -> list[FamilyContrast]:
    """Every family that some networks have and others lack, between networks and within them.

    Args:
        members: network -> the families that it is of.
        means: of the same networks, all over the same cases.
        pairs: family -> network -> how much better it is than itself without that family.
        rope: half the region of equivalence.

    >>> members = {name: frozenset({"attention"} if name < "E" else set()) for name in "ABCDEFGH"}
    >>> means = {name: 0.8 + 0.001 * place + (name < "E") * 0.1 for place, name in enumerate("ABCDEFGH")}
    >>> found = family_contrasts(members, means, {"attention": {"A": 0.01}}, rope=0.003)
    >>> [(one.kind, len(one.having), round(one.value, 3), one.verdict) for one in found]
    [('between', 4, 0.096, 'better'), ('within', 1, 0.01, 'undecided')]
    """
    of_any = dict.fromkeys(family for found in members.values() for family in sorted(found))
    of_all = frozenset.intersection(*members.values()) if members else frozenset()
    made = [
        *(_between(family, members, means, rope) for family in of_any if family not in of_all),
        *(_within(family, differences, rope) for family, differences in pairs.items()),
    ]
    p, outside = (holm([getattr(one, name) for one in made]).tolist() for name in ("p", "outside"))
    return [
        replace(one, p=a, outside=b, verdict=verdict(one.value, a, b))
        for one, a, b in zip(made, p, outside, strict=True)
    ]


def _between(
    family: str, members: Mapping[str, frozenset[str]], means: Mapping[str, float], rope: float
) -> FamilyContrast:
    """Welch's test of the networks' means: what all networks share, the cases, is gone from the difference."""
    having = tuple(name for name, found in members.items() if family in found)
    lacking = tuple(name for name in members if name not in having)
    first, second = (np.array([means[name] for name in side]) for side in (having, lacking))
    enough = min(len(first), len(second)) >= FEWEST_NETWORKS
    law = TLaw.between(first, second) if enough else TLaw(float(first.mean() - second.mean()))
    return _judged(family, "between", having, lacking, law, rope)


def _within(family: str, pairs: Mapping[str, float], rope: float) -> FamilyContrast:
    """The paired test of networks and themselves without it."""
    differences = np.array(list(pairs.values()))
    law = TLaw.of_mean(differences) if len(pairs) >= FEWEST_PAIRS else TLaw(float(differences.mean()))
    return _judged(family, "within", tuple(pairs), tuple(pairs), law, rope)


def _judged(
    family: str, kind: Kind, having: tuple[str, ...], lacking: tuple[str, ...], law: TLaw, rope: float
) -> FamilyContrast:
    return FamilyContrast(family, kind, having, lacking, law.value, *law.interval(), law.p(), law.p_outside(rope))
