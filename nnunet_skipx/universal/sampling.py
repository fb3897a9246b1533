"""Which domain each iteration of an epoch takes: the same in every epoch and process, so that runs can be resumed."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

Sampling = Literal["round_robin", "sqrt", "proportional"]


def iterations_per_domain(cases: Sequence[int], sampling: Sampling, per_domain: int) -> list[int]:
    """How many iterations of an epoch each domain gets, `per_domain` on average and at least one.

    Args:
        cases: training cases of each domain.
        sampling: "round_robin" gives all alike, "proportional" by their cases, "sqrt" by the root of that.
        per_domain: iterations of an epoch, divided by the number of domains.

    Raises:
        ValueError: another sampling, no domain, a domain without a case, or no iteration.
    """
    if sampling not in get_args(Sampling):
        raise ValueError(f"sampling must be one of {', '.join(get_args(Sampling))}, got {sampling!r}")
    if not cases or min(cases) < 1 or per_domain < 1:
        raise ValueError(f"{per_domain} iterations per domain and {list(cases)} cases: all must be positive")
    exponent = {"round_robin": 0.0, "sqrt": 0.5, "proportional": 1.0}[sampling]
    weights = np.asarray(cases, dtype=float) ** exponent
    # One each first, so that no domain is forgotten; the rest by the largest remainders.
    rest = (per_domain - 1) * len(cases)
    shares = weights / weights.sum() * rest
    counts = np.floor(shares).astype(int)
    largest = np.argsort(-(shares - counts), kind="stable")[: rest - counts.sum()]
    counts[largest] += 1
    return (counts + 1).tolist()


def domain_order(iterations: Sequence[int]) -> list[int]:
    """The domain of each iteration of an epoch, every domain spread evenly over it.

    iterations: of each domain, as `iterations_per_domain` gives them. Equal numbers give a round robin.
    """
    turns = [((turn + 0.5) / count, domain) for domain, count in enumerate(iterations) for turn in range(count)]
    return [domain for _, domain in sorted(turns)]
