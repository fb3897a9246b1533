"""`skipx profile`: what trainers cost."""

import argparse
import json
from typing import Any

from nnunet_skipx.cli.values import EachOnce, fold, whole
from nnunet_skipx.system.next_steps import go_on


def add_profile_parser(commands: Any) -> None:
    """`skipx profile`, with nnU-Net's spellings where nnU-Net has the option."""
    text = "measure what trainers cost on a planned data set: parameters, FLOPs, memory, seconds per step"
    profile = commands.add_parser("profile", help=text, description=text)
    profile.add_argument("-d", dest="dataset", required=True, help="dataset id or name, already planned by nnU-Net")
    profile.add_argument("-c", dest="configuration", required=True, help="configuration, for example 3d_fullres")
    profile.add_argument(
        "-tr",
        dest="trainers",
        nargs="+",
        action=EachOnce,
        metavar="TRAINER",
        help="trainers or variants; ratios refer to the first (default: nnUNetTrainer and all of ours; with "
        "--dataloading nnUNetTrainer)",
    )
    profile.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans (default: nnUNetPlans)")
    profile.add_argument("-device", choices=["cpu", "cuda"], help="default: cuda where torch sees a GPU, else cpu")
    profile.add_argument("--runs", type=whole(1, 1000), help="timed runs per trainer and kind of step (default: 3)")
    profile.add_argument(
        "--dataloading",
        action="store_true",
        help="instead: whether loading and augmentation keep up with the network, in workers and with _gpuaug",
    )
    profile.add_argument(
        "-f",
        dest="fold",
        type=fold,
        metavar="FOLD",
        help="with --dataloading: whose training cases are loaded (default: 0)",
    )
    profile.add_argument(
        "--iterations",
        type=whole(1, 100_000),
        metavar="N",
        help="with --dataloading: iterations that are timed (default: 100, on the CPU 10)",
    )
    profile.add_argument("--json", action="store_true", help="print JSON instead of a table")
    profile.set_defaults(function=profile_command)


def profile_command(args: argparse.Namespace) -> int:
    plans, dataset_json = planned_for(args)

    import torch

    from nnunet_skipx.nnunet.throwaway import Setting
    from nnunet_skipx.profiling.profile import profile, profile_text
    from nnunet_skipx.training.declared import single_trainers

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if args.dataloading:
        return profile_dataloading(args, plans, dataset_json, device)
    setting = Setting(plans, args.configuration, dataset_json, device)
    trainers = args.trainers or single_trainers()
    content = profile(trainers, setting, 3 if args.runs is None else args.runs)
    if args.json:
        print(json.dumps(content, indent=2))
    else:
        print(f"{profile_text(content)}\n{go_on(bench_words(args, trainers))}")
    return 0


def planned_for(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plans and dataset.json, once all that can be looked at without torch fits; raises what says why not."""
    from nnunet_skipx.nnunet.planned import (
        domains_in,
        plans_file,
        preprocessed_folder,
        read_planned,
        require_configuration,
    )
    from nnunet_skipx.training.spelling import require_trainers

    plans, dataset_json = read_planned(args.dataset, args.plans)
    if domains := domains_in(plans_file(args.dataset, args.plans).parent):
        raise ValueError(
            f"{args.dataset} is a universal run: profile nnUNetTrainerU2Net on each of its domains, "
            f"{', '.join(domains)}"
        )
    require_configuration(plans, args.configuration)
    require_trainers(args.trainers or [])
    if args.dataloading:
        if args.runs is not None:
            raise ValueError("--runs is not for --dataloading: give --iterations")
        preprocessed_folder(args.dataset, args.plans, args.configuration)  # says what is missing
        return plans, dataset_json
    for option, value in (("-f", args.fold), ("--iterations", args.iterations)):
        if value is not None:
            raise ValueError(f"{option} {value} belongs to --dataloading: add that, or leave {option} out")
    return plans, dataset_json


def bench_words(args: argparse.Namespace, trainers: list[str]) -> list[object]:
    """The command line that shows the comparison of what was profiled."""
    plans = ["-p", args.plans] if args.plans != "nnUNetPlans" else []
    return ["skipx", "bench", "-d", args.dataset, "-c", args.configuration, "-tr", *trainers, *plans, "--dry-run"]


def profile_dataloading(
    args: argparse.Namespace, plans: dict[str, Any], dataset_json: dict[str, Any], device: str
) -> int:
    from nnunet_skipx.profiling.dataloading import ITERATIONS, dataloading, dataloading_text
    from nnunet_skipx.profiling.loading_run import LoadingSetting

    iterations = ITERATIONS[device] if args.iterations is None else args.iterations
    setting = LoadingSetting(plans, args.configuration, dataset_json, device, args.fold or 0, iterations)
    content = dataloading(args.trainers or ["nnUNetTrainer"], setting)
    print(json.dumps(content, indent=2) if args.json else dataloading_text(content))
    return 0
