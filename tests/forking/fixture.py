"""Starts the server when a test first needs it; it ends with the tests."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.checkout import ROOT
from tests.forking import client, server

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
# nnU-Net reads these while it is imported.
WORKERS = {"nnUNet_def_n_proc": "1", "nnUNet_n_proc_DA": "1"}


@dataclass(frozen=True)
class ForkServer:
    """`python` stands in for the interpreter, `variables` say where the server is."""

    python: Path
    variables: dict[str, str]

    def run(self, *words: object, check: bool = True, **variables: str) -> subprocess.CompletedProcess:
        """Run a console script, or `-m MODULE`, with its output caught; it must succeed unless told otherwise."""
        environment = {**os.environ, **self.variables, **variables}
        return run_program([self.python, *words], environment, check)

    def run_ranks(self, worker: Callable[..., None], *arguments: str | bool, fresh: bool = False) -> None:
        """Run `worker(rank, *arguments)` as two processes beside each other, as DDP does; both must succeed.

        `fresh` ones have imported nothing before.
        """
        path = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        call = f"{path}from {worker.__module__} import {worker.__name__} as run\nrun"
        python = sys.executable if fresh else self.python
        programs = [[python, "-c", f"{call}({rank}, *{arguments!r})"] for rank in (0, 1)]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda words: run_program(words, {**os.environ, **self.variables}, check=True), programs))


def run_program(words: Sequence[object], variables: dict[str, str], check: bool) -> subprocess.CompletedProcess:
    """Run any program with its output caught, for 15 minutes at most; says what it said where it had to succeed."""
    result = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, env=variables, timeout=900, check=False
    )
    if check:
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result


@contextmanager
def fork_server() -> Iterator[ForkServer]:
    """A server for the time of a test session."""
    with tempfile.TemporaryDirectory(prefix="skipx_forks_") as folder:
        python = Path(folder, "python")
        # -S and -I: without site-packages it starts in milliseconds
        python.write_text(f"#!{sys.executable} -IS\n" + Path(client.__file__).read_text())
        python.chmod(0o755)
        address = Path(folder, "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(address))
            listener.listen(64)
            with _running_server(listener):
                yield ForkServer(python, {client.ADDRESS: str(address), server.CLIENT: str(python)})


@contextmanager
def _running_server(listener: socket.socket) -> Iterator[None]:
    ours, theirs = os.pipe()
    command = [sys.executable, "-m", "tests.forking.server", str(listener.fileno()), str(ours)]
    environment = {**os.environ, **ONE_THREAD, **WORKERS, "CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "agg"}
    process = subprocess.Popen(command, pass_fds=[listener.fileno(), ours], env=environment, cwd=ROOT)
    os.close(ours)
    try:
        yield
    finally:
        os.close(theirs)
        process.wait()
