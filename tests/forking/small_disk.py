"""A real disk of a size of one's choice (a tmpfs), filled up by our commands at twenty moments of their work."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

MOMENTS = 20
LARGE = 1 << 28  # bytes


@dataclass(frozen=True)
class SmallDisk:
    """A disk that is mounted at a folder."""

    folder: Path

    def used(self) -> int:
        """Bytes in use."""
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def resize(self, size: int) -> None:
        """Bytes that it holds from now on."""
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """A disk at an existing folder; skips the test where only root could mount one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={LARGE}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def filled_up(
    disk: SmallDisk,
    run: Callable[[], subprocess.CompletedProcess],
    start: Callable[[], None],
    nothing_is_lost: Callable[[], None],
) -> None:
    """Run a command on disks that are full after each twenty-first of what it writes, then again with space.

    start: brings the disk to where the command begins. nothing_is_lost: asserts it of what the failed command left.
    """
    assert run().returncode == 0  # what the first call alone leaves, a lock for instance, is no part of its work
    start()
    before = disk.used()
    whole = run()
    assert whole.returncode == 0, whole.stderr
    written = disk.used() - before
    for moment in range(1, MOMENTS + 1):
        disk.resize(LARGE)
        start()
        size = disk.used() + written * moment // (MOMENTS + 1)
        disk.resize(size - size % os.sysconf("SC_PAGE_SIZE"))
        ended = run()
        assert ended.returncode == 2, (moment, ended.stdout, ended.stderr)
        assert "Traceback" not in ended.stderr
        assert any(word in ended.stderr for word in ("No space left", "free", "full")), ended.stderr
        assert str(disk.folder) in ended.stderr, "the disk is named"
        nothing_is_lost()
        if moment % 5 == 0:
            disk.resize(LARGE)
            again = run()
            assert again.returncode == 0, again.stderr
