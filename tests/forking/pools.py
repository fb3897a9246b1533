"""Pools of processes that fork: nnU-Net asks for fresh ones, each of which imports everything."""

import multiprocessing.context
from collections.abc import Iterator
from contextlib import contextmanager


def contexts() -> dict[str, multiprocessing.context.BaseContext]:
    """How processes are started, by name; whoever asks for `spawn` gets what stands there."""
    return multiprocessing.context._concrete_contexts  # type: ignore[attr-defined]


@contextmanager
def forked_pools() -> Iterator[None]:
    """Within it `get_context("spawn")` is the one that forks."""
    fresh = contexts()["spawn"]
    contexts()["spawn"] = contexts()["fork"]
    try:
        yield
    finally:
        contexts()["spawn"] = fresh
