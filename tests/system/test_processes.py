"""A process that is tied to its parent ends with it, and so do the workers that it has forked or spawned."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnunet_skipx.system.processes import endings_as_interrupts
from tests.forking.fixture import ForkServer

# A parent that starts a tied child, which forks a worker; each prints its process id.
CHILD = """
import multiprocessing, os, signal, sys, time
from nnunet_skipx.system.processes import end_with_parent
if {deaf}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
end_with_parent()
worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
worker.start()
print(os.getpid(), worker.pid, flush=True)
time.sleep(60)
"""
PARENT = """
import os, sys, time
from nnunet_skipx.system.processes import start_tied
child = start_tied([sys.executable, "-c", sys.argv[1]], os.environ, sys.stdout)
time.sleep(60)
"""


def wait_until_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 30
    while any(is_running(number) for number in processes):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


@pytest.fixture
def family() -> Iterator[tuple[subprocess.Popen, list[int]]]:
    """A parent, and its child and grandchild."""
    command = [sys.executable, "-c", PARENT, CHILD.format(deaf=True)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        yield parent, [int(number) for number in parent.stdout.readline().split()]
        parent.kill()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at /proc")
class TestFamilies:
    def test_a_killed_parent_takes_all_along(self, family: tuple[subprocess.Popen, list[int]]) -> None:
        parent, descendants = family
        assert len(descendants) == 2 and all(is_running(number) for number in descendants)
        parent.kill()
        parent.wait()
        wait_until_gone(descendants)

    def test_a_killed_child_takes_its_workers_along(self, family: tuple[subprocess.Popen, list[int]]) -> None:
        parent, (child, worker) = family
        os.kill(child, signal.SIGKILL)
        wait_until_gone([worker])
        assert parent.poll() is None

    def test_a_worker_that_waits_for_a_lock_is_ended_as_nnunet_ends_it(self, forks: ForkServer) -> None:
        """The signal may come just before its main thread waits, which would run a handler; so it has none."""
        code = (
            "import multiprocessing, signal; from nnunet_skipx.system.processes import end_with_parent\n"
            "from nnunet_skipx.bench.train_cell import exit_on_terminate\n"
            "end_with_parent(); signal.signal(signal.SIGTERM, exit_on_terminate)\n"
            "def told(pipe): pipe.send(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)\n"
            "here, there = multiprocessing.Pipe()\n"
            "worker = multiprocessing.get_context('fork').Process(target=told, args=(there,)); worker.start()\n"
            "print(here.recv(), signal.getsignal(signal.SIGTERM) is exit_on_terminate)"
        )
        found = forks.run("-c", code)
        assert found.stdout.split() == ["True", "True"]

    def test_a_worker_that_is_ended_while_it_starts_is_ended(self, forks: ForkServer) -> None:
        """As nnU-Net's pools of workers may be: what a handler raises while a fork begins, Python drops."""
        code = (
            "import multiprocessing, os, signal, time; from nnunet_skipx.system.processes import end_with_parent\n"
            "from nnunet_skipx.bench.train_cell import exit_on_terminate\n"
            "os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))\n"
            "end_with_parent(); signal.signal(signal.SIGTERM, exit_on_terminate)\n"
            "worker = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,)); worker.start()\n"
            "worker.join(20); print(worker.exitcode, signal.pthread_sigmask(signal.SIG_BLOCK, []), flush=True)\n"
            "os.kill(os.getpid(), signal.SIGTERM)"
        )
        found = forks.run("-c", code, check=False)
        assert found.stdout == f"{-signal.SIGTERM} set()\n"
        assert found.returncode == 128 + signal.SIGTERM, "the parent hears it as before"

    def test_without_a_tie_nothing_is_watched(self) -> None:
        code = "import time; from nnunet_skipx.system import processes; processes.end_with_parent(); time.sleep(0.5)"
        result = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, check=False)
        assert result.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_inside_polite_ends_are_interrupts(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), endings_as_interrupts():
            os.kill(os.getpid(), number)
            time.sleep(5)
        assert signal.getsignal(number) is signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)
        with endings_as_interrupts():
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)
