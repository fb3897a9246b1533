"""One row's process: a fork of the program, so that the 20 seconds of imports are paid once and a crash costs one row.

It may be forked because the program itself never touches CUDA; that starts in the fork. Its group of processes holds
all that it starts (compiler, loading workers), which stands still and ends with it.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch._inductor import config as inductor
from torch.backends import cudnn

from benchmarks.gpu.measure import MEASURES, TURN, UnavailableError
from benchmarks.gpu.rows import Row
from benchmarks.gpu.sizes import Sizes

GO, DONE = "go", "done"
PR_SET_PDEATHSIG = 1  # Linux
OUT_OF_MEMORY = "not measured: out of memory"


class Child:
    """A row that is being measured, on its CPU cores."""

    def __init__(self, row: Row, cores: Sequence[int], sizes: Sizes, folder: Path) -> None:
        """folder: for what is compiled, and for the log of all rows."""
        self.row, self.cores, self.started = row, list(cores), time.monotonic()
        self.stood_still, self.stopped_at = 0.0, 0.0
        context = multiprocessing.get_context("fork")
        self.connection, there = context.Pipe()
        self.process = context.Process(target=measure, args=(there, row, self.cores, sizes, folder))
        self.process.start()
        there.close()  # so that the end of the process ends the waiting for it
        with suppress(OSError):  # both sides say it, because either may come first
            os.setpgid(self.pid, self.pid)

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def seconds(self) -> float:
        """Of its life, as far as it was allowed to run; only asked while it is."""
        return time.monotonic() - self.started - self.stood_still

    def stop(self) -> None:
        """Stand still until `go_on`."""
        self.stopped_at = time.monotonic()
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)
        self.stood_still += time.monotonic() - self.stopped_at

    def end(self) -> None:
        """End it and all that it has started."""
        self._signal(signal.SIGKILL)
        self.process.join()
        self.connection.close()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def measure(connection: Connection, row: Row, cores: list[int], sizes: Sizes, folder: Path) -> None:
    """The process itself: sends what the row's measurement yields, then why it failed if it did, then DONE."""
    with suppress(OSError):
        os.setpgid(0, 0)
    prepare(row, cores, sizes, folder)
    try:
        for message in MEASURES[row.part](row, sizes):
            connection.send(message)
            if message == TURN:
                assert connection.recv() == GO
        connection.send({"done": True})
    except Exception as error:  # noqa: BLE001 - whatever it is becomes the row's text
        if not isinstance(error, UnavailableError):
            traceback.print_exc()
        connection.send({"missing": told(error)})
    connection.send(DONE)


def prepare(row: Row, cores: list[int], sizes: Sizes, folder: Path) -> None:
    """Its end, log, cores, what nnUNetv2_train sets, and caches: own ones where they have to be empty."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # without the program nobody would end it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stdout = sys.stderr = log = (folder / "log.txt").open("a", buffering=1)
    for stream in (1, 2):  # compilers and CUDA write to these
        os.dup2(log.fileno(), stream)
    os.sched_setaffinity(0, cores)
    inductor.compile_threads = len(cores)
    torch.set_num_threads(1)
    cudnn.benchmark = sizes.device == "cuda"
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)  # what a row leaves when it is ended goes with the folder
    caches = folder / (f"caches of {os.getpid()}" if row.part == "first" else "caches")
    os.environ["TORCHINDUCTOR_CACHE_DIR"], os.environ["TRITON_CACHE_DIR"] = str(caches), str(caches / "triton")
    os.environ.update(nnUNet_compile=str(row.compiled))


def told(error: Exception) -> str:
    """Why a row has no figures, in a line."""
    if isinstance(error, torch.OutOfMemoryError):
        return OUT_OF_MEMORY
    lines: list[Any] = str(error).strip().splitlines() or [""]
    name = "" if isinstance(error, UnavailableError) else f"{type(error).__name__}: "
    return f"not measured: {name}{lines[0][:150]}"
