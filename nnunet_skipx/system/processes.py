"""Processes that end with the one that started them, however that one ends: a kill, a crash, a closed terminal."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import IO

TIED = "SKIPX_TIED"  # standard input is a pipe that the parent holds open for as long as it lives
SECONDS_BETWEEN_LOOKS = 1.0
_forking = 0  # the process that forks
_blocked: set[int] = set()  # the signals that it did not hear before


def start_tied(command: Sequence[str], variables: Mapping[str, str], output: IO[str]) -> subprocess.Popen[bytes]:
    """Start a program that calls `end_with_parent`, with these environment variables and all output to a file."""
    return subprocess.Popen(
        command,
        env={**variables, TIED: "1"},
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def end_with_parent() -> None:
    """Kill this process once the one that started it by `start_tied` is gone, and what it forks once it is gone itself.

    To be called once, before workers are started.
    """
    if os.environ.pop(TIED, None):  # not for grandchildren, whose standard input is another
        _in_background(_kill_at_end_of, os.dup(0))
    os.register_at_fork(before=_about_to_fork, after_in_parent=_hear_again, after_in_child=_be_a_worker)


def end_without(parent: int) -> None:
    """Kill this process once the one that forked or spawned it, the process id `parent`, is gone."""
    _in_background(_kill_when_orphaned, parent)


def _about_to_fork() -> None:
    """A plea that comes while the worker starts waits: Python would drop what its handler raises there."""
    global _forking, _blocked
    _forking = os.getpid()  # asked for after the fork, it may be gone already
    _blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _hear_again() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _blocked)


def _be_a_worker() -> None:
    if callable(signal.getsignal(signal.SIGTERM)):  # heard by the main thread, which may wait for a lock for ever
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _hear_again()
    end_without(_forking)


def _in_background(function: Callable[[int], None], argument: int) -> None:
    threading.Thread(target=function, args=(argument,), daemon=True).start()


def _kill_at_end_of(stream: int) -> None:
    while os.read(stream, 1024):
        pass
    _kill_myself()


def _kill_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    _kill_myself()


def _kill_myself() -> None:
    """What training writes is whole or not there, so nothing has to be tidied up; a plea might be ignored."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def endings_as_interrupts() -> Iterator[None]:
    """Inside, a polite end (SIGTERM) and a closed terminal (SIGHUP) are what Ctrl-C is: KeyboardInterrupt.

    What is ignored stays so, as by nohup; outside the main thread nothing changes, as Python hears signals only there.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if in_main_thread and signal.getsignal(n) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
