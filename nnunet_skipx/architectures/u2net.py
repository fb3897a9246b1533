"""3D U2-Net (MICCAI 2019) on nnU-Net's plans: separable residual encoder and decoder with per-domain adapters."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import nn

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.pretrained import TakesWeights
from nnunet_skipx.architectures.u2net_parts import UNITS, Convolutions, Decoder, Encoder, Style
from nnunet_skipx.architectures.unet import refuse_two_stages
from nnunet_skipx.skips.blocks import BlockOps


class U2Net(TakesWeights):
    """3D U2-Net for one data set, in 2D and 3D (MICCAI 2019; the source's separable network with one task).

    Units are separable convolutions: a depthwise kernel and two norms that belong to the domain, and a pointwise
    convolution that the networks of a universal run share. Logits leave as nnU-Net's do, one map per decoder stage
    with deep supervision; the source adds its side outputs up instead. All convolutions start Kaiming-normal (fan in,
    gain sqrt 2) with biases 0, norms at 1 and 0, as in the source.

    Args:
        input_channels: channels of the image.
        num_classes: channels of the logits.
        deep_supervision: return one map of logits per decoder stage (full resolution first) instead of one in all.
        n_stages, features_per_stage, conv_op, kernel_sizes, strides, n_conv_per_stage, n_blocks_per_stage,
            n_conv_per_stage_decoder, conv_bias, norm_op, norm_op_kwargs, nonlin, nonlin_kwargs: as in the plans.
            Two convolutions of a plain plan are one residual block; residual plans count blocks.
        dropout_op, dropout_op_kwargs: must be None, as in nnU-Net's plans; the source has no dropout.
        convolutions: what units are made of: "separable"; "full" convolutions; full ones with residual adapters in
            "series" or "parallel".
        strided: "source" for full strided convolutions, padded as in the source.
        residual: whether the encoder's blocks add their input to their output; False for a twin.

    Raises:
        ValueError: the plans have dropout, an even kernel, or two stages with deep supervision.
    """

    plan_arguments: ClassVar[tuple[str, ...]] = ()
    gates_spread: ClassVar[None] = None  # no gates, see `SkipUNet`
    vram_reference: ClassVar[tuple[int, int]] = (105_000_000, 643_000_000)
    why_no_stock: ClassVar[str] = (
        "its separable convolutions are not those of nnU-Net's U-Net, only checkpoints of nnUNetTrainerU2Net fit"
    )
    key_to_encoder = "encoder"
    key_to_stem = "encoder.stem"
    keys_to_in_proj = ("encoder.stem.conv",)

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        n_stages: int,
        features_per_stage: int | Sequence[int],
        conv_op: type[nn.Module],
        kernel_sizes: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        n_conv_per_stage_decoder: int | Sequence[int],
        n_conv_per_stage: int | Sequence[int] | None = None,
        n_blocks_per_stage: int | Sequence[int] | None = None,
        conv_bias: bool = False,
        norm_op: type[nn.Module] | None = None,
        norm_op_kwargs: dict[str, Any] | None = None,
        dropout_op: type[nn.Module] | None = None,
        dropout_op_kwargs: dict[str, Any] | None = None,
        nonlin: type[nn.Module] | None = None,
        nonlin_kwargs: dict[str, Any] | None = None,
        convolutions: Convolutions = "separable",
        strided: Literal["separable", "source"] = "separable",
        residual: bool = True,
    ) -> None:
        super().__init__()
        refuse_two_stages(n_stages, deep_supervision)
        refuse_options(convolutions, strided, dropout_op)
        ops = BlockOps(conv_op, norm_op, norm_op_kwargs, nonlin, nonlin_kwargs)
        if n_blocks_per_stage is not None:
            blocks = per_stage(n_blocks_per_stage, n_stages)
        else:
            assert n_conv_per_stage is not None, "plans have n_conv_per_stage or n_blocks_per_stage"
            blocks = [math.ceil(convs / 2) for convs in per_stage(n_conv_per_stage, n_stages)]
        convs = per_stage(n_conv_per_stage_decoder, n_stages - 1)

        style = Style(ops, conv_bias, convolutions, strided, residual, kernel_sizes, strides)
        features = per_stage(features_per_stage, n_stages)
        self.encoder = Encoder(style, input_channels, features, blocks)
        self.decoder = Decoder(style, num_classes, features, convs)
        self.decoder.deep_supervision = deep_supervision

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits `(B, num_classes, *spatial)` of an image `(B, input_channels, *spatial)`, a list if deep."""
        return self.decoder(self.encoder(x))

    def auxiliary_loss(self) -> torch.Tensor:
        """See `SkipUNet`: nothing."""
        return next(self.parameters()).new_zeros(())

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that stem, units and heads put out for one sample: the maps that are kept for the backward.

        A separable unit recomputes everything else. nnU-Net's planners hold it against the stock network's.
        """
        sizes = self.encoder.map_sizes(input_size)
        return np.int64(self.encoder.kept_elements(sizes) + self.decoder.kept_elements(sizes))


def per_stage(value: int | Sequence[int], stages: int) -> list[int]:
    """One value per stage; a single number stands for all."""
    values = [value] * stages if isinstance(value, int) else list(value)
    if len(values) != stages:
        raise ValueError(f"the plans give {len(values)} values, {values}, for {stages} stages: one per stage is needed")
    return values


def refuse_options(convolutions: str, strided: str, dropout_op: type[nn.Module] | None) -> None:
    """Raise ValueError for what the network cannot be built with."""
    if convolutions not in UNITS:
        raise ValueError(f"convolutions must be one of {', '.join(UNITS)}, got {convolutions!r}")
    if strided not in ("separable", "source"):
        raise ValueError(f'strided must be "separable" or "source", got {strided!r}')
    if dropout_op is not None:
        raise ValueError(f"3D U2-Net has no dropout, the plans ask for {dropout_op.__name__}: set dropout_op to null")
