"""The network that a trainer builds, beside its source's wiring written out.

Every test file here has a function `source(network, image)` that computes, with the network's own parameters, what the
source's network computes: which map goes where, in which order, at which size. nnU-Net's own stages stand for the
source's plain blocks. `parity_cases/` holds the parts against the source's vectors; these tests hold the network around
them. `python -m benchmarks.differences` puts what they find into the documentation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from nnunet_skipx.training.variants import trainer_class
from tests.plan_shapes import PlanShape, plans

FLAT = PlanShape((64, 32), (1, 1), 4)
ANISOTROPIC = PlanShape((8, 32, 24), (5, 1, 1), 4)
CHANNELS, CLASSES, BATCH = 2, 3, 3
LIMIT = 1e-10
RELU = {"nonlin": "torch.nn.modules.activation.ReLU"}

Parts = dict[str, list[torch.Tensor]]  # maps by the mechanism's part that makes them, in the order of computation


@dataclass(frozen=True)
class Case:
    """A trainer on a plan. plan: architecture arguments other than those of `PlanShape.architecture`."""

    trainer: str
    shape: PlanShape
    norm: str = "instance"
    residual: bool = False
    decoder_convolutions: int = 2
    plan: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> Any:
        """The trainer's network in float64 and evaluation mode, with parameters away from their start."""
        planned = plans(self.shape, norm=self.norm, residual=self.residual)
        arguments = planned["configurations"]["test"]["architecture"]["arch_kwargs"]
        arguments |= {"n_conv_per_stage_decoder": [self.decoder_convolutions] * (self.shape.stages - 1)} | self.plan
        manager = PlansManager(planned)
        torch.manual_seed(0)
        network = trainer_class(self.trainer).build_network_architecture(
            manager, manager.get_configuration("test"), CHANNELS, CLASSES, True
        )
        draw(network.double())
        settle(network, self.images())
        return network.eval()

    def images(self) -> torch.Tensor:
        """`(BATCH, CHANNELS, *patch)`, unlike in mean and spread, so that what is chosen by the image differs."""
        generator = torch.Generator().manual_seed(1)
        noise = torch.randn(BATCH, CHANNELS, *self.shape.patch, generator=generator, dtype=torch.float64)
        number = torch.arange(BATCH).view(-1, 1, *[1] * len(self.shape.patch))
        return noise * (0.5 + number) + noise.roll(3, -1).cumsum(-1) * 0.1 * number + number - 1


@torch.no_grad()
def draw(network: nn.Module) -> None:
    """Parameters and buffers away from the values they start with, which hide what they are for."""
    for p in network.parameters():
        spread = 0.0 if p.ndim == 1 else float(p.std(correction=0))
        p.add_(torch.randn_like(p) * (spread if spread > 0.01 else 0.3))  # 0.3: norms, biases, tables that start alike
    for name, buffer in network.named_buffers():
        if name.endswith("moments.value"):  # mean and mean square
            buffer[0].normal_(std=0.3)
            buffer[1].uniform_(0.5, 1.5).add_(buffer[0].square())
        elif buffer.is_floating_point():
            buffer.normal_(std=0.3)


@torch.no_grad()
def settle(network: nn.Module, images: torch.Tensor) -> None:
    """Running statistics of batch norms near those of the images, or maps would grow from stage to stage."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        network.train()(images)
    for norm in norms:
        norm.running_mean += 0.3 * norm.running_var.sqrt() * torch.randn_like(norm.running_mean)
        norm.running_var *= 0.5 + torch.rand_like(norm.running_var)


@dataclass(frozen=True)
class Probe:
    """What is taken of a call of one of our modules: its output, or what `take` makes of its inputs and its output."""

    module: nn.Module
    take: Callable[[Sequence[Any], Any], torch.Tensor] = lambda inputs, output: output


def seen_by(module: nn.Module) -> Probe:
    """The first input of a module."""
    return Probe(module, lambda inputs, output: inputs[0])


@dataclass(frozen=True)
class Subject:
    """An architecture: cases by name, its source's wiring, and where our network has the same maps, but the logits."""

    cases: Mapping[str, Case]
    source: Callable[[Any, torch.Tensor], Parts]
    watched: Callable[[Any], Mapping[str, Sequence[Probe]]]

    @torch.no_grad()
    def both(self, case: Case) -> tuple[Parts, Parts]:
        """What our network makes of the images, and what the source's wiring makes of them."""
        network, images = case.build(), case.images()
        return recorded(network, images, self.watched(network)), self.source(network, images)

    def check(self, name: str) -> None:
        """Every part and all logits of a case agree."""
        ours, theirs = self.both(self.cases[name])
        assert ours.keys() == theirs.keys()
        for part, maps in ours.items():
            assert maps, f"our network has no {part}"
            torch.testing.assert_close(
                maps, theirs[part], rtol=LIMIT, atol=LIMIT, msg=lambda message, part=part: f"{part}: {message}"
            )


def recorded(network: nn.Module, images: torch.Tensor, watched: Mapping[str, Sequence[Probe]]) -> Parts:
    """Copies of what the probes see while the network runs, and its logits, full resolution first."""
    parts: Parts = {part: [] for part in watched}
    hooks = [
        probe.module.register_forward_hook(
            lambda _, inputs, output, part=part, probe=probe: parts[part].append(probe.take(inputs, output).clone())
        )
        for part, probes in watched.items()
        for probe in probes
    ]
    logits = network(images)
    for hook in hooks:
        hook.remove()
    return parts | {"logits": logits}


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, **how: Any) -> torch.Tensor:
    """A convolution in 2D or 3D."""
    return (F.conv2d, F.conv3d)[x.ndim - 4](x, weight, bias, **how)


def convolve_1(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """A 1x1 convolution of `(B, C, *spatial)` by a weight `(C_out, C)` or `(C_out, C, 1, ...)`."""
    return convolve(x, weight.flatten(1).view(len(weight), -1, *[1] * (x.ndim - 2)), bias)


def linearly(x: torch.Tensor, size: Sequence[int], **how: Any) -> torch.Tensor:
    """`(B, C, *spatial)` at another size, bilinear or trilinear (SPEC 0.2)."""
    return F.interpolate(x, size=tuple(size), mode=("bilinear", "trilinear")[x.ndim - 4], align_corners=False, **how)


def nearest(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """`(B, C, *spatial)` at another size, nearest neighbours (SPEC 0.2)."""
    return F.interpolate(x, size=tuple(size), mode="nearest")


def normed(x: torch.Tensor, norm: Any, part: slice = slice(None)) -> torch.Tensor:
    """Batch norm in evaluation or instance norm of `(B, C, *spatial)`, by the channels `part` of `norm`."""
    axes, ones = tuple(range(2, x.ndim)), [1] * (x.ndim - 2)
    if isinstance(norm, _BatchNorm):
        mean, variance = (v[part].view(1, -1, *ones) for v in (norm.running_mean, norm.running_var))
    else:
        mean, variance = x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True)
    scale, shift = (p[part].view(-1, *ones) for p in (norm.weight, norm.bias))
    return (x - mean) / (variance + norm.eps).sqrt() * scale + shift


def activated(x: torch.Tensor, nonlin: nn.Module) -> torch.Tensor:
    """An activation that leaves x as it is, though the plans say in place."""
    return nonlin(x.clone())


def encoded(network: Any, image: torch.Tensor) -> list[torch.Tensor]:
    """The maps of nnU-Net's encoder, stage 0 first."""
    x = image if getattr(network.encoder, "stem", None) is None else network.encoder.stem(image)
    maps = []
    for stage in network.encoder.stages:
        x = stage(x)
        maps.append(x)
    return maps


def stage_over(stage: Any, parts: Sequence[torch.Tensor], kernels: Sequence[torch.Tensor]) -> torch.Tensor:
    """A stage of nnU-Net's decoder whose first convolution sees `parts` concatenated, with the kernels joined."""
    first, *rest = stage.convs
    padding = [k // 2 for k in kernels[0].shape[2:]]
    y = convolve(torch.cat(list(parts), 1), torch.cat(list(kernels), 1), first.conv.bias, padding=padding)
    y = first.nonlin(first.norm(y))
    for block in rest:
        y = block(y)
    return y


def skip_first(stage: Any, skip: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """A stage of nnU-Net's decoder over `[skip, u]`, as most sources have it; nnU-Net's own is over `[u, skip]`."""
    of_u, of_skip = stage.convs[0].conv.weight.split([u.shape[1], skip.shape[1]], 1)
    return stage_over(stage, [skip, u], [of_skip, of_u])
