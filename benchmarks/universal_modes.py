"""The source's comparison of five modes on the domains of `universal_check`, and what each mode stores.

`python -m benchmarks.universal_modes FOLDER [--data TASK_FOLDER]` trains three independent networks with full
convolutions and a run in each other mode, demo schedule, fold 0, and writes the table into docs/universal.md.
`python -m benchmarks.universal_modes --parameters` writes the table of parameters for five domains; nothing is trained.
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from benchmarks.tables import replace_block
from benchmarks.universal_check import ALL, PAGE, Check, create, prepared
from nnunet_skipx.architectures import U2Net
from nnunet_skipx.demo.prepare import PLANS
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.nnunet.checkpoints import read_checkpoint
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.system.machine import describe_machine
from nnunet_skipx.universal.checkpoint import domain_network
from nnunet_skipx.universal.sharing import shared_parameters

MODES = {"shared": "full", "series adapters": "series", "parallel adapters": "parallel", "universal": ""}
WIDTHS = {
    "source, 16 to 512": [16, 32, 64, 128, 256, 512],
    "nnU-Net, 32 to 320": [32, 64, 128, 256, 320, 320],
}
DOMAINS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="where to work; that of a universal_check saves time")
    parser.add_argument("--data", type=Path, help="an MSD task folder (default: phantoms)")
    parser.add_argument("--epochs", type=int, help="instead of the demo's 5, of 40 iterations per domain")
    parser.add_argument("--parameters", action="store_true", help="only the table of parameters for five domains")
    args = parser.parse_args()
    if args.parameters or args.folder is None:
        replace_block(PAGE, "parameters", parameter_table())
        return
    workspace, datasets = prepared(args.folder, args.data)
    create(Check(workspace, "", PLANS), ALL, [dataset_number(dataset) for dataset in datasets])
    table = mode_table(workspace, datasets, args.epochs)
    print(table)
    data = (f" --data {args.data.name}" if args.data else "") + (f" --epochs {args.epochs}" if args.epochs else "")
    told = f"`python -m benchmarks.universal_modes FOLDER{data}`, {describe_machine()}."
    replace_block(PAGE, "modes", f"{table}\n\n{told}")


def mode_table(workspace: Workspace, datasets: list[str], epochs: int | None) -> str:
    """Dice per domain in every mode, and the parameters."""
    run = f"Dataset{ALL}_Universal"
    alone = Check(workspace, "full", PLANS, epochs)
    dice = [alone.train(dataset, alone.trainer) for dataset in datasets]
    rows = []
    for mode, option in MODES.items():
        check = Check(workspace, option, PLANS, epochs)
        check.train(run, check.universal)
        checkpoint = read_checkpoint(check.fold(run, check.universal) / "checkpoint_final.pth")
        networks = [domain_network(checkpoint, dataset) for dataset in datasets]
        if option == "full":
            totals = [count(network) for network in networks]
            rows.append(["independent", "0", f"{sum(totals) / len(totals):,.0f}", f"{sum(totals):,}", *rounded(dice)])
        shared = max(count_shared(network) for network in networks)
        own = [count(network) - count_shared(network) for network in networks]
        part = f"{check.trainer}_from{ALL}"
        scores = rounded([check.dice(dataset, part) for dataset in datasets])
        rows.append([mode, f"{shared:,}", f"{sum(own) / len(own):,.0f}", f"{shared + sum(own):,}", *scores])
    head = ["mode", "shared", "per domain", "all in all", *(f"Dice {dataset}" for dataset in datasets)]
    return markdown([head, ["---"] * len(head), *rows])


def parameter_table() -> str:
    """Parameters for five domains of one channel and three classes, against five independent networks."""
    head = ["widths of 6 stages", "mode", "shared", "per domain", "5 domains", "of 5 independent"]
    rows = []
    for widths, features in WIDTHS.items():
        independent = DOMAINS * count(network(features, {"convolutions": "full"}))
        rows.append([widths, "independent", "0", f"{independent // DOMAINS:,}", f"{independent:,}", "100 %"])
        modes = {mode: {"convolutions": option} if option else {} for mode, option in MODES.items()}
        for mode, options in {**modes, "universal, `_source`": {"strided": "source"}}.items():
            one = network(features, options)
            shared = count_shared(one)
            own = count(one) - shared
            total = shared + DOMAINS * own
            rows.append([widths, mode, f"{shared:,}", f"{own:,}", f"{total:,}", f"{total / independent:.1%}"])
    return markdown([head, ["---"] * len(head), *rows]) + "\n\n`python -m benchmarks.universal_modes --parameters`."


def network(features: list[int], options: dict[str, str]) -> U2Net:
    """Six stages of 3x3x3 kernels, on the meta device."""
    stages = len(features)
    with torch.device("meta"):
        return U2Net(
            1,
            3,
            n_stages=stages,
            features_per_stage=features,
            conv_op=nn.Conv3d,
            kernel_sizes=[[3] * 3] * stages,
            strides=[[1] * 3] + [[2] * 3] * (stages - 1),
            n_conv_per_stage=2,
            n_conv_per_stage_decoder=2,
            conv_bias=True,
            norm_op=nn.InstanceNorm3d,
            norm_op_kwargs={"affine": True},
            nonlin=nn.LeakyReLU,
            **options,
        )


def count(one: nn.Module) -> int:
    """All parameters."""
    return sum(p.numel() for p in one.parameters())


def count_shared(one: U2Net) -> int:
    """Those that the domains share."""
    return sum(p.numel() for p in shared_parameters(one))


def rounded(values: list[float]) -> list[str]:
    """Three digits each."""
    return [f"{value:.3f}" for value in values]


def markdown(rows: list[list[str]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
