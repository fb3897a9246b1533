"""The op types a mechanism is built from, as nnU-Net's plans name them; one set serves 2D and 3D."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass
class BlockOps:
    """Convolution, norm and activation types with their arguments; a missing norm or activation is the identity."""

    conv_op: type[nn.Module]
    norm_op: type[nn.Module] | None = None
    norm_op_kwargs: dict[str, Any] | None = None
    nonlin_op: type[nn.Module] | None = None
    nonlin_kwargs: dict[str, Any] | None = None

    def conv1x1(self, channels_in: int, channels_out: int, groups: int = 1) -> Any:
        """A convolution with kernel 1 and bias."""
        return self.conv_op(channels_in, channels_out, kernel_size=1, groups=groups)

    def norm(self, channels: int) -> nn.Module:
        """A norm for `channels` channels."""
        return nn.Identity() if self.norm_op is None else self.norm_op(channels, **(self.norm_op_kwargs or {}))

    def nonlin(self, inplace: bool = True) -> nn.Module:
        """An activation, in place if the plans say so and `inplace` does not forbid it."""
        kwargs = {key: value for key, value in (self.nonlin_kwargs or {}).items() if inplace or key != "inplace"}
        return nn.Identity() if self.nonlin_op is None else self.nonlin_op(**kwargs)


def refuse_unknown(option: str, value: str, known: Sequence[str]) -> None:
    """Raise ValueError for a value that an option does not have."""
    if value not in known:
        raise ValueError(f"{option} must be {' or '.join(repr(k) for k in known)}, got {value!r}")
