"""UNet++ on nnU-Net's plans: nested dense skips, a head for every depth, prunable."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from nnunet_skipx.architectures.any_size import any_size
from nnunet_skipx.architectures.injection import run_stage_over
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.skips.blocks import refuse_unknown
from nnunet_skipx.skips.nested import Grid, NestedSkips


class UNetPlusPlus(SkipUNet):
    """nnU-Net's U-Net with the nested nodes of UNet++ on its skips (Zhou et al.).

    The last node of every stage is the stock decoder's stage, under its stock name; it sees the nested nodes besides
    what nnU-Net's sees. Logits of full resolution are the mean of those of `X(0, 1)`, ..., and of the decoder.

    Args:
        input_channels, num_classes, deep_supervision, unet: see `SkipUNet`.
        narrowing: nested nodes have the channels of their stage divided by this; 1 as published.
        nodes: "dense": a node sees all before it on its stage; "chain": only the one before it, and a decoder stage
            that and its stock input; "none": there are no nested nodes, which is nnU-Net's U-Net.
        heads: nested nodes of full resolution have heads; else the decoder alone.
    """

    vram_reference = (91_000_000, 638_000_000)
    gates_spread = None
    skips: Any

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool = False,
        *,
        narrowing: int = 4,
        nodes: Literal["dense", "chain", "none"] = "dense",
        heads: bool = True,
        **unet: Any,
    ) -> None:
        super().__init__(input_channels, num_classes, deep_supervision, **unet)
        refuse_unknown("nodes", nodes, ("dense", "chain", "none"))
        if narrowing < 1:
            raise ValueError(f"narrowing must be 1 or more, got {narrowing}")
        self.pruned: int | None = None
        self.keep_branches = False
        self.branches: list[torch.Tensor] | None = None
        self.nested = nodes != "none" and len(self.skip_channels) > 1
        self.skips = self.nested_skips(narrowing, nodes == "dense", heads) if self.nested else nn.ModuleList()

    def nested_skips(self, narrowing: int, dense: bool, heads: bool) -> NestedSkips:
        """All nodes between encoder and decoder."""
        encoder, decoder = self.encoder, self.decoder
        convolutions = [len(stage.convs) for stage in reversed(decoder.stages)]
        sizes = (encoder.output_channels, encoder.strides, encoder.kernel_sizes, convolutions)
        transposed = type(decoder.transpconvs[0])
        return NestedSkips(self.ops, transposed, Grid(*sizes, narrowing, dense), decoder.num_classes if heads else 0)

    @property
    def has_branches(self) -> bool:
        """Whether a training pass can leave `branches`."""
        return self.nested and self.pruned is None and len(self.skips.seg_layers) > 0

    @any_size
    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits as `SkipUNet.forward`; with `keep_branches` a training pass also leaves `branches` for the loss."""
        features = self.encoder(x)
        if not self.nested:
            return self.decoder(features)
        nested = self.skips(features)
        heads = [(int(step) - 1, head) for step, head in self.skips.seg_layers.items()]
        branches = [head(nested[0][node]) for node, head in heads]
        if self.pruned is not None:
            return branches if self.decoder.deep_supervision else branches[0]
        if self.training and self.keep_branches:
            self.branches = branches
        return averaged(self.decode_all(features, nested), branches)

    def decode_all(
        self, features: Sequence[torch.Tensor], nested: Sequence[Sequence[torch.Tensor]]
    ) -> torch.Tensor | list[torch.Tensor]:
        """The decoder's logits as `SkipUNet.decode` gives them, of all maps of the encoder and nested nodes."""

        def merge(skip: int, u: torch.Tensor) -> torch.Tensor:
            stage = self.decoder_stage(skip)
            if skip >= len(nested):  # the deepest stage has no nodes between
                return stage(torch.cat([u, features[skip]], 1))
            seen = torch.cat([u, features[skip], *self.skips.seen(nested[skip])], 1)
            return run_stage_over(stage, seen, self.skips.further[skip].weight)

        return self.decode(features[-1], merge)

    def prune(self, depth: int) -> "UNetPlusPlus":
        """Cut the network to the U-Net of that depth: encoder stages 0 to `depth`, `X(0, depth)` and its head.

        Its logits are those of that branch; what else there was is gone from the weights.

        Raises:
            ValueError: there is no such head.
        """
        known = [int(step) for step in self.skips.seg_layers] if self.nested else []
        if depth not in known:
            depths = f"those of depth {', '.join(map(str, known))} have" if known else "no nested node has"
            raise ValueError(f"there is no U-Net of depth {depth} to prune to: {depths} a head of their own")
        encoder, decoder = self.encoder, self.decoder
        encoder.stages = encoder.stages[: depth + 1]
        for name in ("output_channels", "strides", "kernel_sizes"):
            setattr(encoder, name, getattr(encoder, name)[: depth + 1])
        decoder.stages, decoder.transpconvs, decoder.seg_layers = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.skips.prune(depth)
        self.pruned = depth
        return self

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> np.int64:
        """Elements that the convolutions put out for one sample, those of the nested nodes included."""
        added = 0
        if self.nested:
            added = self.skips.compute_conv_feature_map_size(self.map_sizes(input_size))
        if self.pruned is not None:
            return self.encoder.compute_conv_feature_map_size(input_size) + np.int64(added)
        return super().compute_conv_feature_map_size(input_size) + np.int64(added)


def averaged(
    logits: torch.Tensor | list[torch.Tensor], branches: Sequence[torch.Tensor]
) -> torch.Tensor | list[torch.Tensor]:
    """The decoder's logits, those of full resolution averaged with what the nested nodes' heads say."""
    if isinstance(logits, list):
        return [mean_of([logits[0], *branches]), *logits[1:]]
    return mean_of([logits, *branches])


def mean_of(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean of maps `(B, C, *spatial)`."""
    return maps[0] if len(maps) == 1 else torch.stack(list(maps)).mean(0)
