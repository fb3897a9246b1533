"""Batches of several domains, one domain at a time, in an order that repeats."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

Batch = dict[str, Any]


class DomainBatches(Iterator[Batch]):
    """The domains' batches in turn; `domain` in a batch says whose it is, `seconds` how long it was waited for.

    The order is as long as an epoch, so that every epoch, resumed or not, begins with it anew.
    """

    def __init__(self, loaders: Sequence[Iterator[Batch]], order: Sequence[int]) -> None:
        self.loaders = list(loaders)
        self.order = cycle(order)

    def __next__(self) -> Batch:
        domain, start = next(self.order), time.perf_counter()
        return {**next(self.loaders[domain]), "domain": domain, "seconds": time.perf_counter() - start}


def timed(step: Callable[[Batch], Batch], batch: Batch) -> Batch:
    """What a domain's step puts out, with the domain, and the seconds that batch and step took."""
    start = time.perf_counter()
    output = step(batch)
    return {**output, "domain": batch["domain"], "seconds": batch["seconds"] + time.perf_counter() - start}


def of_domain(outputs: Sequence[Batch], domain: int) -> list[Batch]:
    """What a step put out for one domain's batches, as that domain's trainer expects it."""
    return [
        {key: value for key, value in output.items() if key not in ("domain", "seconds")}
        for output in outputs
        if output["domain"] == domain
    ]
