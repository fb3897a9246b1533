"""Kills of our commands at their changes of the disk, one after the other, whatever the machine's speed."""

import signal
import subprocess
from pathlib import Path

from filelock import FileLock

from tests.forking import client
from tests.forking.fixture import ForkServer

MOST = 20
# A command that kills itself just before its Nth change within a folder; with 0 it ends by itself and counts them.
PROGRAM = """
import os, signal, sys
from nnunet_skipx.cli.main import main
folder, moment, *words = sys.argv[1:]
moment, count, process = int(moment), 0, os.getpid()
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def watch(event, arguments):
    global count
    if event not in CHANGES and (event != "open" or not (arguments[2] or 0) & WRITING):
        return
    if os.getpid() == process and str(arguments[0]).startswith(folder):
        count += 1
        if count == moment:
            os.kill(process, signal.SIGKILL)
sys.addaudithook(watch)
status = main(words)
print(f"changes: {count}", file=sys.stderr)
sys.exit(status)
"""


def run_until(forks: ForkServer, folder: Path, moment: int, *words: object) -> subprocess.CompletedProcess:
    """Our command, killed just before its change number `moment` of what lies in the folder."""
    return forks.run("-c", PROGRAM, folder, moment, *words, check=False)


def moments(forks: ForkServer, folder: Path, *words: object) -> list[int]:
    """Twenty moments, evenly spread over the changes of the command (or all of them); runs it to its end."""
    whole = run_until(forks, folder, 0, *words)
    assert whole.returncode == 0, whole.stderr
    changes = int(whole.stderr.rpartition("changes: ")[2])
    assert changes > 5, "hardly anything was watched"
    return sorted({1 + round(step * (changes - 1) / (MOST - 1)) for step in range(MOST)})


def kill(process: subprocess.Popen, folder: Path) -> None:
    """Kill a forked program; returns when neither it nor what it has started works in the folder any more.

    A kill of the client that stands for it would reach it a moment after the test goes on.
    """
    process.send_signal(client.KILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for path in folder.rglob("*.lock"):
        with FileLock(path, timeout=30):
            pass


def hidden(folder: Path) -> list[Path]:
    """What a user does not see and nobody may leave."""
    return list(folder.rglob(".*"))
