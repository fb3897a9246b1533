"""One thread per worker, a fresh compiler and the package's folder in nnU-Net's search path for every test."""
from collections.abc import Iterator

import pytest
import torch

from nnunet_skipx.discovery import EXT_VARIABLE, ext_path

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def our_trainers_are_discoverable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXT_VARIABLE, ext_path())


@pytest.fixture(autouse=True)
def nothing_is_compiled_yet() -> Iterator[None]:
    yield
    torch._dynamo.reset()
