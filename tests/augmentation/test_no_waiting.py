"""On a GPU the host never waits for the device: seen on fake CUDA tensors, which need no GPU."""

import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode

from nnunet_skipx.augmentation import pipeline as pipeline_module
from nnunet_skipx.augmentation import spatial
from nnunet_skipx.augmentation.pipeline import DeviceAugmentation
from tests.augmentation.test_cascade import FOREGROUND
from tests.augmentation.test_parity import CPU, SETTINGS, pipeline

ASKS = {"aten._local_scalar_dense", "aten.item", "aten.nonzero", "aten.equal", "aten.masked_select"}
LISTS: dict[str, dict[str, Any]] = {
    "volumes": {"use_mask_for_norm": [True, False]},
    "regions": {"regions": [(1, 2), (2,)]},
    "a cascade": {"is_cascaded": True, "foreground_labels": FOREGROUND},
}


class Waits(TorchDispatchMode):
    """Notes what makes the host wait: values read, sizes that depend on values, copies that block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.pinned: list[torch.Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = str(func.overloadpacket)
        tensors = [x for x in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        devices = {x.device.type for x in tensors}
        wanted = {torch.device(kwargs["device"]).type} if kwargs.get("device") else set()
        if "cuda" not in devices | wanted:
            with unset_fake_temporarily():  # the host's own numbers are real
                return self.pin(args[0]) if name == "aten._pin_memory" else func(*args, **kwargs)
        copies = name in ("aten._to_copy", "aten.copy_") and len(devices | wanted) == 2
        asks_not_to = copies and (kwargs.get("non_blocking") or args[2:3] == (True,))
        blocks = copies and not (asks_not_to and all(map(self.is_pinned, tensors)))
        indexes = name == "aten.index" and (len(devices) == 2 or any(x.dtype == torch.bool for x in tensors[1:]))
        if name in ASKS or blocks or indexes:
            self.found.append(f"{name} in {where()}")
        return func(*args, **kwargs)

    def pin(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy in what would be pinned memory; only a machine with a GPU has any."""
        self.pinned.append(tensor.clone())
        return self.pinned[-1]

    def is_pinned(self, tensor: torch.Tensor) -> bool:
        """Also of a tensor on the device, which needs no pinning."""
        storages = [pinned.untyped_storage().data_ptr() for pinned in self.pinned]
        return tensor.device.type == "cuda" or tensor.untyped_storage().data_ptr() in storages


def where() -> str:
    """The line of ours, or of batchgeneratorsv2, that called."""
    ours = [f for f in traceback.extract_stack() if "augmentation/" in f.filename or "batchgeneratorsv2" in f.filename]
    return next(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.line}"
        for frame in reversed(ours)
        if "test_" not in frame.filename
    )


@pytest.fixture
def draws_are_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters are drawn on the host, where nothing is fake; noise without a generator."""
    for module, name in ((pipeline_module, "chosen"), (spatial, "draw")):
        monkeypatch.setattr(module, name, unfaked(getattr(module, name)))
    monkeypatch.setattr(torch, "randn", without_generator(torch.randn))
    monkeypatch.setattr(torch, "rand", without_generator(torch.rand))


def unfaked(function: Callable) -> Callable:
    def really(*args: Any) -> Any:
        with unset_fake_temporarily():
            return function(*args)

    return really


def without_generator(function: Callable) -> Callable:
    def drawn(*args: Any, generator: object = None, **kwargs: Any) -> torch.Tensor:
        result: torch.Tensor = function(*args, **kwargs)
        return result

    return drawn


def waits_of(name: str, content: dict[str, Any], elastic: bool) -> list[str]:
    """What makes the host wait when every transform of the list is applied to every sample."""
    setting = SETTINGS[name]
    augmentation = DeviceAugmentation(pipeline(setting, **content), 0, CPU, elastic)
    augmentation.transforms = [(transform, 1.0) for transform, _ in augmentation.transforms]
    augmentation.draws.noise = SimpleNamespace(device=torch.device("cuda"))  # a real one needs a GPU
    with FakeTensorMode(allow_non_fake_inputs=True), Waits() as waits:
        image = torch.empty(8, 2, *setting["larger"], device="cuda")
        target = torch.empty(8, 1 + ("is_cascaded" in content), *setting["larger"], dtype=torch.int16, device="cuda")
        augmentation(image, target)
    return waits.found


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_waits_for_the_device(name: str, content: dict[str, Any], draws_are_real: None) -> None:
    assert not waits_of(name, content, elastic=False)


def test_elastic_deformation_does_not_wait_either(draws_are_real: None) -> None:
    assert not waits_of("3d", {}, elastic=True)


@pytest.mark.parametrize(
    "waiting",
    [
        lambda x: x.sum().item(),
        lambda x: x[x > 0],
        lambda x: x[[0]],
        lambda x: x + torch.ones(3).to("cuda"),
        lambda x: x + torch.ones(3).to("cuda", non_blocking=True),
        lambda x: x + torch.ones(3).pin_memory().to("cuda"),
    ],
)
def test_what_waits_is_seen(waiting: Callable) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True), Waits() as waits, pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.where", lambda: "here")
        try:
            waiting(torch.ones(3, device="cuda"))
        except RuntimeError:  # a fake tensor has no value
            assert waits.found
    assert waits.found
