"""A forked program looks to its caller like a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.forking.fixture import ForkServer

SLEEP = "import time; print('ready', flush=True); time.sleep(60)"


def start(forks: ForkServer, code: str, **variables: str) -> subprocess.Popen:
    environment = {**os.environ, **forks.variables, **variables}
    return subprocess.Popen([forks.python, "-c", code], env=environment, stdout=-1, stderr=-1, text=True)


@pytest.mark.parametrize(
    "code", ["print(1)", "import sys; sys.exit(3)", "raise SystemExit('no')", "import os, sys; os.kill(os.getpid(), 9)"]
)
def test_status_and_output_are_those_of_python(forks: ForkServer, code: str) -> None:
    real = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    forked = start(forks, code)
    assert forked.communicate(timeout=60) == (real.stdout, real.stderr)
    assert forked.returncode == real.returncode


def test_an_error_ends_in_a_traceback_and_status_1(forks: ForkServer) -> None:
    forked = start(forks, "1 / 0")
    assert "ZeroDivisionError" in forked.communicate(timeout=60)[1]
    assert forked.returncode == 1


def test_it_has_imported_everything_and_knows_its_own_variables(forks: ForkServer, tmp_path: Path) -> None:
    code = "import os, sys; print('nnunetv2.run.run_training' in sys.modules, os.environ['nnUNet_raw'])"
    assert start(forks, code, nnUNet_raw=str(tmp_path)).communicate(timeout=60)[0] == f"True {tmp_path}\n"


def test_two_programs_draw_other_random_numbers(forks: ForkServer) -> None:
    code = "import random, numpy, torch; print(random.random(), numpy.random.rand(), torch.rand(1).item())"
    first, second = (start(forks, code).communicate(timeout=60)[0].split() for _ in range(2))
    assert all(a != b for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_program(forks: ForkServer, number: signal.Signals) -> None:
    process = start(forks, SLEEP)
    assert process.stdout and process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == -number


def test_killing_it_ends_what_it_has_started_too(forks: ForkServer) -> None:
    process = start(forks, "import os, time; child = os.fork(); print(os.getpid(), child, flush=True); time.sleep(60)")
    assert process.stdout
    running = {int(number) for _ in range(2) for number in process.stdout.readline().split()} - {0}
    assert len(running) == 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while any(is_running(number) for number in running):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(process: int) -> bool:
    status = Path(f"/proc/{process}/status")
    try:
        return "State:\tZ" not in status.read_text()
    except OSError:
        return False


def test_what_it_starts_with_python_is_forked_too(forks: ForkServer) -> None:
    inner = "import sys; print('nnunetv2.run.run_training' in sys.modules)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    assert start(forks, code).communicate(timeout=60)[0] == "True\n"
