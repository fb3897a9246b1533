"""Tests of the data sets; here is what they share."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEFAULT_REAL_DATA = Path(__file__).parents[3] / "shared" / "data" / "Task04_Hippocampus"
REAL_DATA = Path(os.environ.get("SKIPX_TEST_DATA", DEFAULT_REAL_DATA))
needs_real_data = pytest.mark.skipif(
    not REAL_DATA.is_dir(), reason="no real data: set SKIPX_TEST_DATA to a Task04_Hippocampus folder"
)


@contextmanager
def almost_full_disk(bytes_left: int = 20_000) -> Iterator[None]:
    """Writing past so many bytes of a file fails as on a full disk, only with "File too large" as the reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
