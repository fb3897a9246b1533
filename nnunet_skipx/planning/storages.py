"""Follow the life of every tensor's storage through a computation on fake tensors, which compute nothing."""

import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

FAKE_GPU_FOR_CPP = torch.device("meta")  # told cuda, torch's autograd engine would look for a GPU


class StorageTracker(TorchDispatchMode):
    """Counts the bytes of the storages that are made inside and still alive, under labels, and keeps the peak's.

    A storage bears the label that was entered last when it was made. (torch's own `MemTracker` is private to
    torch.distributed, has fixed labels, and knows no GPU that is not there.)

    Args:
        device: of the fake tensors.
        block: an allocation takes a multiple of this many bytes.
    """

    def __init__(self, device: torch.device, block: int = 1) -> None:
        super().__init__()
        self.device = device
        self.block = block
        self.peak: dict[str, int] = {}
        self._entered: list[str] = ["others"]
        self._alive: Counter[str] = Counter()
        self._labels: dict[int, str] = {}  # by the storage's address, which is its own while it lives

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if self.device.type == "cuda":
            if func is torch.ops.prim.device.default:  # only C++ asks this way
                return FAKE_GPU_FOR_CPP
            if kwargs.get("device") == FAKE_GPU_FOR_CPP:
                kwargs["device"] = self.device
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1  # no number is known; nnU-Net's loss asks whether any voxel counts
        outputs = func(*args, **kwargs)
        for tensor in tree_leaves(outputs):
            if isinstance(tensor, torch.Tensor):
                self._follow(tensor)
        if self._alive.total() > sum(self.peak.values()):
            self.peak = dict(self._alive)
        return outputs

    def enter(self, label: str) -> None:
        """What is made from now on bears this label."""
        self._entered.append(label)

    def leave(self) -> None:
        """Back to the label before the last `enter`."""
        self._entered.pop()

    @contextmanager
    def labelled(self, label: str) -> Iterator[None]:
        """What is made inside bears this label."""
        self.enter(label)
        yield
        self.leave()

    def relabel(self, tensor: torch.Tensor, label: str) -> None:
        """Count a storage that is alive under another label from now on."""
        storage = tensor.untyped_storage()
        self._alive[self._labels[storage._cdata]] -= self._size(storage)
        self._alive[label] += self._size(storage)
        self._labels[storage._cdata] = label

    def forget_peak(self) -> None:
        """The next peak is that of what follows."""
        self.peak = {}

    def _follow(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size, label = storage._cdata, self._size(storage), self._entered[-1]
        if key not in self._labels:
            self._labels[key] = label
            self._alive[label] += size
            weakref.finalize(storage, self._release, key, size).atexit = False

    def _release(self, key: int, size: int) -> None:
        self._alive[self._labels.pop(key)] -= size

    def _size(self, storage: torch.UntypedStorage) -> int:
        return -(-storage.nbytes() // self.block) * self.block
