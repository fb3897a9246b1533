"""What `benchmarks.cost` measures: training steps of whole networks, forward and backward of mechanisms alone."""

from typing import Any

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from benchmarks.naive.cross_over import naive_cross_over
from benchmarks.naive.full_scale import naive_full_scale
from benchmarks.naive.msaunet import naive_head
from benchmarks.naive.ta_mosc import naive_ta_mosc
from benchmarks.plans import PLANS, architecture_arguments, block_ops, maps
from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.profiling.measure import Step
from nnunet_skipx.skips.cross_over import CrossOver, reduced_for_each_stage
from nnunet_skipx.skips.full_scale import pooled_for_each_stage
from nnunet_skipx.skips.gates import MixtureOptions
from nnunet_skipx.skips.summed_heads import sum_enlarged
from nnunet_skipx.skips.ta_mosc import TAMoSC


def build(plan: str, name: str, options: dict[str, Any]) -> nn.Module:
    """One of our networks, or the stock one ("PlainConvUNet"), on a plan: 1 channel, 3 classes."""
    network_class = PlainConvUNet if name == "PlainConvUNet" else NETWORKS[name]
    from_plan = dict.fromkeys(getattr(network_class, "plan_arguments", ()), PLANS[plan][0])
    return network_class(
        input_channels=1, num_classes=3, deep_supervision=True, **architecture_arguments(plan), **from_plan, **options
    )


def network_step(plan: str, name: str, options: dict[str, Any]) -> Step:
    """A training step (forward, backward, SGD) of one of our networks, or of the stock one ("PlainConvUNet")."""
    patch, batch, _ = PLANS[plan]
    torch.manual_seed(0)
    network = build(plan, name, options)
    optimizer = torch.optim.SGD(network.parameters(), 1e-2, momentum=0.99, nesterov=True)
    image = torch.randn(batch, 1, *patch)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        sum(logits.square().mean() for logits in network(image)).backward()
        optimizer.step()

    return step


def ta_mosc_step(plan: str, naive: bool) -> Step:
    """UTANet's mixture of all skips."""
    torch.manual_seed(0)
    skips = maps(plan)[:-1]
    module = TAMoSC(block_ops(plan), [x.shape[1] for x in skips], MixtureOptions())
    directions = [torch.ones_like(x) for x in skips]

    def step() -> None:
        mixed, _ = naive_ta_mosc(module, skips) if naive else module(skips)
        torch.autograd.backward(mixed, directions)

    return step


def cross_over_step(plan: str, naive: bool) -> Step:
    """The first convolutions of all decoder stages of XUNet, over the concatenation of all encoder maps."""
    torch.manual_seed(0)
    features = maps(plan)
    channels = [x.shape[1] for x in features]
    kernel = [3] * (features[0].ndim - 2)
    modules = [CrossOver(channels, stage, width, width, kernel) for stage, width in enumerate(channels[:-1])]
    stock = [block_ops(plan).conv_op(2 * c, c, kernel, padding=1) for c in channels[:-1]]
    below = [torch.randn_like(x, requires_grad=True) for x in features[:-1]]

    def step() -> None:
        reduced = None if naive else reduced_for_each_stage(features)
        outputs = []
        for module, conv, u in zip(modules, stock, below, strict=True):
            if reduced is None:
                outputs.append(naive_cross_over(module, conv.weight, conv.bias, u, features))
            else:
                seen, extra = module(u, reduced[module.stage])
                outputs.append(conv(seen) + extra)
        torch.autograd.backward(outputs, [torch.ones_like(y) for y in outputs])

    return step


def head_step(plan: str, naive: bool) -> Step:
    """MSA-UNet's head over all decoder maps and the bottleneck, 3 classes."""
    torch.manual_seed(0)
    coarse_to_fine = maps(plan)[::-1]
    heads = [block_ops(plan).conv1x1(x.shape[1], 3) for x in coarse_to_fine]

    def step() -> None:
        if naive:
            logits = naive_head(heads, coarse_to_fine)
        else:
            logits = sum_enlarged([head(x) for head, x in zip(heads, coarse_to_fine, strict=True)])
        logits.backward(torch.ones_like(logits))

    return step


def full_scale_step(plan: str, naive: bool) -> Step:
    """What all decoder stages of UNet 3+ see, ahead of the convolutions that fuse it."""
    torch.manual_seed(0)
    network: Any = build(plan, "UNet3Plus", {})
    encoder, strides = maps(plan), network.encoder.strides
    decoder = [x.new_zeros(len(x), s.channels, *x.shape[2:]) for s, x in zip(network.skips, encoder, strict=False)]
    decoder = [*(torch.randn_like(x, requires_grad=True) for x in decoder), encoder[-1]]

    def step() -> None:
        pooled = pooled_for_each_stage(encoder, strides)
        outputs = [
            naive_full_scale(skips, encoder[: stage + 1], decoder[stage + 1 :])
            if naive
            else skips(pooled[stage], decoder[stage + 1 :])
            for stage, skips in enumerate(network.skips)
        ]
        torch.autograd.backward(outputs, [torch.ones_like(y) for y in outputs])

    return step
