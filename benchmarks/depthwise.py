"""Ways to compute a 3D depthwise convolution on the CPU, forward and backward: `python -m benchmarks.depthwise`.

Every way is checked against torch's grouped convolution first. Seconds are per forward and backward of the maps of a
U-Net with patch 64x64x64 and batch 2; "ours" is what `nnunet_skipx.kernels.depthwise` does.
"""

import argparse
from collections.abc import Callable

import torch
from torch.nn import functional as F

from nnunet_skipx.kernels.channels_last import channels_last
from nnunet_skipx.kernels.depthwise import depthwise
from nnunet_skipx.profiling.measure import paired_seconds
from nnunet_skipx.system.machine import describe_machine

MAPS = ((2, 32, 64, 64, 64), (2, 64, 32, 32, 32), (2, 128, 16, 16, 16), (2, 256, 8, 8, 8))
Way = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def grouped(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """torch's convolution with as many groups as channels."""
    return F.conv3d(x, weight, padding=1, groups=len(weight))


def planes(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """One 2D depthwise convolution per tap along the depth, over all planes at once; the sum of their shifts."""
    batch, depth = x.shape[0], x.shape[2]
    flat = x.transpose(1, 2).flatten(0, 1)
    taps = [
        F.conv2d(flat, weight[:, :, tap], padding=1, groups=len(weight)).unflatten(0, (batch, depth))
        for tap in range(3)
    ]
    below = F.pad(taps[0][:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
    above = F.pad(taps[2][:, 1:], (0, 0, 0, 0, 0, 0, 0, 1))
    return (below + taps[1] + above).transpose(1, 2)


def shifts(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """27 shifted products, added up."""
    padded = F.pad(x, (1,) * 6)
    depth, height, width = x.shape[2:]
    total = torch.zeros_like(x)
    for tap, factor in enumerate(weight.flatten(1).unbind(1)):
        d, h, w = tap // 9, tap // 3 % 3, tap % 3
        part = padded[:, :, d : d + depth, h : h + height, w : w + width]
        total = torch.addcmul(total, part, factor.view(-1, 1, 1, 1))
    return total


def fourier(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Product of the transforms of the padded map and the mirrored kernel."""
    size = [n + 2 for n in x.shape[2:]]
    spectrum = torch.fft.rfftn(x, size, dim=(2, 3, 4)) * torch.fft.rfftn(weight[:, 0].flip(1, 2, 3), size)
    return torch.fft.irfftn(spectrum, size, dim=(2, 3, 4))[:, :, 1:-1, 1:-1, 1:-1]


WAYS: dict[str, tuple[Way, bool]] = {  # and whether the map is channels last
    "grouped convolution": (grouped, False),
    "grouped convolution, channels last": (grouped, True),
    "2D convolutions of the planes": (planes, False),
    "2D convolutions of the planes, channels last": (planes, True),
    "27 shifted products": (shifts, False),
    "27 shifted products, channels last": (shifts, True),
    "Fourier transform": (fourier, False),
    "ours": (lambda x, weight: depthwise(x, weight, None, (1, 1, 1)), True),
}


def make_step(way: Way, last: bool, shape: tuple[int, ...]) -> Callable[[], tuple[torch.Tensor, ...]]:
    """A step that returns the output, the gradient of the map and the gradient of the kernel."""
    torch.manual_seed(0)
    x, weight, direction = torch.randn(shape), torch.randn(shape[1], 1, 3, 3, 3), torch.randn(shape)
    x, direction = (channels_last(t) if last else t for t in (x, direction))
    leaves = (x.requires_grad_(), weight.requires_grad_())

    def step() -> tuple[torch.Tensor, ...]:
        y = way(*leaves)
        return (y, *torch.autograd.grad(y, leaves, direction))

    return step


def check(shape: tuple[int, ...]) -> None:
    """All ways give the same three tensors, up to float32's rounding."""
    expected = make_step(grouped, False, shape)()
    for name, (way, last) in WAYS.items():
        for ours, theirs in zip(make_step(way, last, shape)(), expected, strict=True):
            error = (ours - theirs).abs().max() / theirs.abs().max()
            if not error < 1e-4:
                raise ValueError(f"{name} differs from the grouped convolution by {error:.1e} of the largest value")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    check((2, 8, 6, 7, 8))
    columns = []
    for shape in MAPS:
        steps = {name: make_step(way, last, shape) for name, (way, last) in WAYS.items()}
        seconds = paired_seconds(steps, args.runs, warmup=1)
        columns.append({name: sorted(times)[len(times) // 2] for name, times in seconds.items()})
    print("| forward + backward, seconds | " + " | ".join(f"{s[1]} x {s[2]}^3" for s in MAPS) + " |")
    print("|---" * (1 + len(MAPS)) + "|")
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(f"{column[name]:.3f}" for column in columns) + " |")
    print(f"\nBatch 2. Median of {args.runs} runs on {describe_machine()}, {torch.get_num_threads()} threads.")


if __name__ == "__main__":
    main()
