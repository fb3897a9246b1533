"""Whether what a file says of its size can be held in memory, asked before it is read."""

import os
from pathlib import Path

GIGABYTE = 1e9


def memory_bytes() -> int | None:
    """The memory of this machine; None where the system does not tell."""
    names = getattr(os, "sysconf_names", {})
    if not {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= set(names):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require_memory(path: Path, count: int) -> None:
    """ValueError where the content of a file takes more bytes than this machine has."""
    there = memory_bytes()
    if there is not None and count > there:
        raise ValueError(
            f"{path} says that its content takes {count / GIGABYTE:.3g} GB of memory, of which this machine has "
            f"{there / GIGABYTE:.3g}: restore it, or read it on a larger machine"
        )
