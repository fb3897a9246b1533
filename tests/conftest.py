"""One thread per worker, the same luck each time, a fresh compiler and our folder in nnU-Net's search path for all."""

import gc
import os
import random
import sys
from collections.abc import Iterator

import hypothesis
import numpy as np
import pytest
import torch

from nnunet_skipx.discovery import EXT_VARIABLE, ext_path
from tests.forking.fixture import ForkServer, fork_server

# For the processes that run the tests, and theirs: one thread, as torch and numpy would take all cores in each of them;
# and memory that was freed is kept, not fetched from the system again.
os.environ.update(OMP_NUM_THREADS="1")
os.environ.update(MALLOC_MMAP_THRESHOLD_=str(2**25), MALLOC_TRIM_THRESHOLD_=str(2**29), MALLOC_TOP_PAD_=str(2**24))
# nnU-Net reads it while it is imported: its pools have one process instead of eight, each of which imports everything.
os.environ.update(nnUNet_def_n_proc="1")
torch.set_num_threads(1)
# No deadline: a busy machine is not a slow function. `make test-luck` tries other examples, `make test-long` many more.
for name, examples in {"suite": 25, "luck": 25, "long": 500}.items():
    hypothesis.settings.register_profile(
        name, deadline=None, max_examples=examples, print_blob=True, derandomize=name == "suite"
    )
hypothesis.settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: a worker takes a file at a time, and one that starts last would keep the others waiting."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: ("end_to_end" not in item.path.parts, item.path not in long))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The same random numbers for a test and its fixtures wherever they run; others with another --hypothesis-seed."""
    seed = random.Random(item.config.getoption("--hypothesis-seed") or "0").getrandbits(32)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def pytest_collection_finish() -> None:
    """What has been imported stays: half a million objects, which the garbage collector need not walk through again.

    Nor need it look through the others as often as a program with less memory would like.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def pytest_unconfigure() -> None:
    """So that nothing complains of leaks."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    """Where programs are forked from a process that has imported them; started by the first test that asks."""
    with fork_server() as server:
        yield server


@pytest.fixture(autouse=True)
def our_trainers_are_discoverable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXT_VARIABLE, ext_path())


@pytest.fixture(autouse=True)
def nothing_is_compiled_yet() -> Iterator[None]:
    yield
    if "torch._dynamo" in sys.modules and torch._dynamo.convert_frame.FRAME_COUNTER:  # whose import takes seconds
        torch._dynamo.reset()  # what fake tensors were computed before is lost with it
