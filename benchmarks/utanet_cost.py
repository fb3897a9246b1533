"""What TA-MoSC costs: against its naive rendering, and in UTANet against the stock U-Net of the same plan.

`python -m benchmarks.utanet_cost` prints the table; `--write` puts it into docs/architectures/utanet.md as well;
`--profile` prints instead where the mechanism's time goes.
"""
import argparse
from pathlib import Path

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from benchmarks.measure import Step, describe_machine, paired_seconds, peak_memory, ratio
from benchmarks.naive_ta_mosc import naive_ta_mosc
from benchmarks.tables import replace_block
from nnunet_skipx.architectures import UTANet
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.ta_mosc import TAMoSC

PAGE = Path(__file__).parents[1] / "docs" / "architectures" / "utanet.md"
# patch, batch and features per stage as nnU-Net plans them for 2D 224x224 and 3D 64x64x64
PLANS = {
    "2D 224x224, batch 4": ((224, 224), 4, (32, 64, 128, 256, 512, 512)),
    "3D 64x64x64, batch 2": ((64, 64, 64), 2, (32, 64, 128, 256, 320)),
}


def op_types(dim: int) -> dict:
    """nnU-Net's defaults."""
    return {
        "conv_op": (nn.Conv2d, nn.Conv3d)[dim - 2],
        "norm_op": (nn.InstanceNorm2d, nn.InstanceNorm3d)[dim - 2],
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }


def mechanism_step(plan: str, naive: bool) -> Step:
    """Forward and backward of TA-MoSC alone."""
    patch, batch, features = PLANS[plan]
    torch.manual_seed(0)
    module = TAMoSC(BlockOps(*op_types(len(patch)).values()), features[:-1])
    maps = [
        torch.randn(batch, channels, *(size // 2**stage for size in patch), requires_grad=True)
        for stage, channels in enumerate(features[:-1])
    ]
    directions = [torch.ones_like(x) for x in maps]

    def step() -> None:
        skips, _ = naive_ta_mosc(module, maps) if naive else module(maps)
        torch.autograd.backward(skips, directions)

    return step


def network_step(plan: str, stock: bool) -> Step:
    """A training step of the whole network: forward, backward, optimiser."""
    patch, batch, features = PLANS[plan]
    dim, stages = len(patch), len(features)
    arguments = op_types(dim) | {
        "n_stages": stages,
        "features_per_stage": features,
        "kernel_sizes": [[3] * dim] * stages,
        "strides": [[1] * dim] + [[2] * dim] * (stages - 1),
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
        "conv_bias": True,
    }
    torch.manual_seed(0)
    network = (PlainConvUNet if stock else UTANet)(
        input_channels=1, num_classes=3, deep_supervision=True, **arguments
    )
    optimizer = torch.optim.SGD(network.parameters(), 1e-2, momentum=0.99, nesterov=True)
    image = torch.randn(batch, 1, *patch)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        sum(logits.square().mean() for logits in network(image)).backward()
        optimizer.step()

    return step


def rows(runs: int) -> list[str]:
    """One row of the table per plan and comparison."""
    lines = []
    for plan in PLANS:
        for title, make, other in (
            ("TA-MoSC forward + backward / naive rendering", mechanism_step, True),
            ("UTANet training step / stock PlainConvUNet", network_step, True),
        ):
            seconds = paired_seconds({"ours": make(plan, False), "other": make(plan, other)}, runs)
            memory = peak_memory(make, plan, False) / peak_memory(make, plan, other)
            times = " / ".join(f"{sorted(seconds[name])[runs // 2]:.2f} s" for name in ("ours", "other"))
            lines.append(f"| {plan} | {title} | {ratio(seconds, 'ours', 'other'):.2f} ({times}) | {memory:.2f} |")
    return lines


def print_profiles() -> None:
    """The operations that take most of TA-MoSC's forward and backward, per plan."""
    for plan in PLANS:
        step = mechanism_step(plan, naive=False)
        step()
        with torch.profiler.profile() as profiler:
            step()
        print(plan)
        print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=12, max_name_column_width=40))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    if args.profile:
        print_profiles()
        return
    head = ["| plan | comparison | time ratio | peak memory ratio |", "|---|---|---|---|"]
    table = "\n".join([*head, *rows(args.runs), "", f"Median of {args.runs} paired runs on {describe_machine()}."])
    print(table)
    if args.write:
        replace_block(PAGE, "cost", table)


if __name__ == "__main__":
    main()
