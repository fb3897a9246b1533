"""One function over many items, in processes, with a progress bar."""
import multiprocessing
import signal
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
    with ProcessPoolExecutor(processes, context, initializer=leave_interrupts_to_the_parent) as pool:
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


def leave_interrupts_to_the_parent() -> None:
    """So that Ctrl-C ends with the parent's one sentence."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
