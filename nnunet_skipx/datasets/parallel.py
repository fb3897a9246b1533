"""One function over many items, in processes, with a progress bar."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item], processes: int, title: str) -> list[Result]:
    """The results in the order of the items; a worker has one item at a time, and the first error ends all.

    Raises what the function raises, RuntimeError when a worker process is killed.
    """
    if processes == 1:
        return [function(item) for item in tqdm(items, desc=title, disable=None)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=stay_with_the_parent) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in tqdm(as_completed(futures), total=len(items), desc=title, disable=None):
                future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker process was killed, as the system does when memory runs out: try again with -np 1"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
        return [future.result() for future in futures]


def stay_with_the_parent() -> None:
    """A worker leaves Ctrl-C to the parent, which ends in one sentence, and does not outlive it when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_the_parent, daemon=True).start()


def end_with_the_parent() -> None:
    """Wait for the parent's end; a worker holds both ends of its queue and would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    parent.join()
    os._exit(1)
