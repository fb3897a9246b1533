"""Batches of several domains, one domain at a time, in an order that repeats."""
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

Batch = dict[str, Any]


class DomainBatches(Iterator[Batch]):
    """The domains' batches in turn; `domain` in a batch says whose it is.

    The order is as long as an epoch, so that every epoch, resumed or not, begins with it anew.
    """

    def __init__(self, loaders: Sequence[Iterator[Batch]], order: Sequence[int]) -> None:
        self.loaders = list(loaders)
        self.order = cycle(order)

    def __next__(self) -> Batch:
        domain = next(self.order)
        return {**next(self.loaders[domain]), "domain": domain}


def of_domain(outputs: Sequence[Batch], domain: int) -> list[Batch]:
    """What a step put out for one domain's batches, as that domain's trainer expects it."""
    return [
        {key: value for key, value in output.items() if key != "domain"}
        for output in outputs
        if output["domain"] == domain
    ]
