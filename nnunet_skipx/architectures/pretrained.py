"""`-pretrained_weights` for networks that the file fits in part: what fits is loaded, the rest is told.

nnU-Net's loader asks the network for its state, refuses a file that lacks any of it but segmentation heads, and hands
the state back with the file's weights in it. So a network of ours shows this one caller a state that takes whatever
the file has, and sorts that out when it comes back.
"""

import sys
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

LOADER = "nnunetv2.run.load_pretrained_weights"
HEADS = ".seg_layers."  # nnU-Net's mark in the names of what depends on the classes and is never taken over
MECHANISM = "skips."
MOST_NAMES = 5
State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class WarmStart:
    """What came of a file of weights, by the names of tensors.

    adapted: first convolutions for another number of channels. mechanism: of the skips, others: of encoder and
    decoder, which the file lacks or has in another shape. network: which of the file's, where it holds several.
    """

    loaded: tuple[str, ...]
    adapted: tuple[str, ...]
    mechanism: tuple[str, ...]
    others: tuple[str, ...]
    network: str = ""

    def __str__(self) -> str:
        of = f" of {self.network}" if self.network else ""
        said = [f"Pretrained weights{of}: {len(self.loaded)} tensors were loaded; segmentation heads start anew"]
        if self.adapted:
            said.append(f"for this number of input channels the mean over the file's was taken: {names(self.adapted)}")
        if self.mechanism:
            said.append(f"of the mechanism these start anew: {names(self.mechanism)}")
        if self.others:
            said.append(f"not in the file, or in another shape: {names(self.others)}")
        return "; ".join(said) + "."


class TakesWeights(nn.Module):
    """A network that starts from what fits of a file given by `-pretrained_weights`; `warm_start` says what did."""

    keys_to_in_proj: Collection[str]
    why_no_stock: ClassVar[str] = "its encoder is none of this network's, or has other widths"
    warm_start: WarmStart | None = None

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """torch's; for nnU-Net's loader of pretrained weights one that takes all that a file has."""
        if sys._getframe(1).f_globals.get("__name__") == LOADER:
            return _WholeFile()
        return super().state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """torch's; of pretrained weights what fits.

        Raises:
            ValueError: nothing of the encoder does; says why.
        """
        if isinstance(state_dict, _WholeFile):
            state_dict, self.warm_start = fitted(super().state_dict(), state_dict, self.keys_to_in_proj)
            if not any(key.startswith("encoder.") for key in self.warm_start.loaded):
                of = f" of {self.warm_start.network}" if self.warm_start.network else ""
                raise ValueError(
                    f"no pretrained weight{of} fits the encoder of {type(self).__name__}: {self.why_no_stock}. "
                    "Take a checkpoint of the same plans, or leave -pretrained_weights out"
                )
            print(self.warm_start)
        return super().load_state_dict(state_dict, strict, assign)


class _WholeFile(OrderedDict[str, torch.Tensor]):
    """Empty, and claims to have every key."""

    def keys(self) -> Any:
        return _Everything()


class _Everything:
    def __contains__(self, key: object) -> bool:
        return True


def fitted(own: State, file: Mapping[str, torch.Tensor], first: Collection[str]) -> tuple[State, WarmStart]:
    """A network's state with what fits of a file's, and what came of it.

    first: beginnings of the names of convolutions that see the image.
    """
    begins = networks_in(file)
    prefix = closest(begins, own, file)
    file = {key.removeprefix(prefix): value for key, value in file.items() if key.startswith(prefix)}
    state: State = {}
    kinds: dict[str, list[str]] = {kind: [] for kind in ("loaded", "adapted", "mechanism", "others")}
    known: dict[int, torch.Tensor] = {}  # nnU-Net's networks have the encoder's tensors under several names
    for key, value in own.items():
        if HEADS in key:
            state[key] = value
        elif value.data_ptr() in known:
            state[key] = known[value.data_ptr()]
        else:
            state[key], kind = chosen(key, value, file.get(key), first)
            known[value.data_ptr()] = state[key]
            kinds[kind].append(key)
    found = {kind: tuple(keys) for kind, keys in kinds.items()}
    return state, WarmStart(**found, network=prefix.rstrip(".") if len(begins) > 1 else "")


def networks_in(file: Collection[str]) -> list[str]:
    """What stands before the names of a file's networks, sorted: mostly nothing, or one wrapper's name.

    A universal run has a network per domain. That nnU-Net's decoder knows its encoder, too, makes no further network.
    """
    begins = {key[: key.index("encoder.")] for key in file if "encoder." in key}
    return sorted(begin for begin in begins if not begin.endswith("decoder.")) or [""]


def closest(begins: Collection[str], own: State, file: Mapping[str, torch.Tensor]) -> str:
    """That of a file's networks of which most numbers fit."""

    def fit(begin: str) -> int:
        return sum(value.numel() for key, value in own.items() if same_shape(file.get(begin + key), value))

    return max(begins, key=fit)


def same_shape(theirs: torch.Tensor | None, value: torch.Tensor) -> bool:
    """Whether a tensor is there and has a shape."""
    return theirs is not None and theirs.shape == value.shape


def chosen(
    key: str, value: torch.Tensor, theirs: torch.Tensor | None, first: Collection[str]
) -> tuple[torch.Tensor, str]:
    """What a tensor of the network becomes, given the file's, and the field of `WarmStart` where it belongs."""
    if theirs is not None and same_shape(theirs, value):
        return theirs, "loaded"
    if theirs is not None and key.startswith(tuple(first)) and differs_in_channels(theirs, value):
        return for_channels(theirs, value.shape[1]), "adapted"
    return value, "mechanism" if key.startswith(MECHANISM) else "others"


def differs_in_channels(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two kernels `(out, in, *spatial)` differ in their input channels only."""
    return a.ndim == b.ndim > 2 and a.shape[0] == b.shape[0] and a.shape[2:] == b.shape[2:]


def for_channels(kernel: torch.Tensor, channels: int) -> torch.Tensor:
    """A kernel `(out, in, *spatial)` for another number of channels: its mean over channels, as strong in sum."""
    mean = kernel.mean(1, keepdim=True) * (kernel.shape[1] / channels)
    return mean.expand(-1, channels, *kernel.shape[2:]).contiguous()


def names(keys: Collection[str]) -> str:
    """The first of some names, and how many more there are."""
    shown = list(keys)[:MOST_NAMES]
    more = len(keys) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
