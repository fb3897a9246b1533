"""`skipx bench`: a matrix of trainings."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nnunet_skipx.cli.values import EachOnce, fold, path, real, whole


def add_bench_parser(commands: Any) -> None:
    """`skipx bench`, with nnU-Net's letters."""
    text = "train and validate every combination of data sets, configurations, trainers and folds that is not done yet"
    bench = commands.add_parser("bench", help=text, description=text)
    bench.add_argument("--matrix", type=path, metavar="FILE", help="a TOML file with the letters below as keys")
    bench.add_argument(
        "-d", nargs="+", action=EachOnce, metavar="DATASET", help="data sets, ids or names, already planned by nnU-Net"
    )
    bench.add_argument(
        "-c", nargs="+", action=EachOnce, metavar="CONFIGURATION", help="configurations, for example 3d_fullres 2d"
    )
    bench.add_argument(
        "-tr", nargs="+", action=EachOnce, metavar="TRAINER", help="trainers: nnU-Net's, ours with variants, or others"
    )
    bench.add_argument(
        "-p", nargs="+", action=EachOnce, metavar="PLANS", default=["nnUNetPlans"], help="plans (default: nnUNetPlans)"
    )
    bench.add_argument(
        "-f", nargs="+", action=EachOnce, type=fold, metavar="FOLD", default=[], help="folds (default: all)"
    )
    bench.add_argument("--npz", action="store_true", help="keep the validation's probabilities, for ensembles")
    bench.add_argument(
        "--replicates", type=whole(1, 100), default=1, metavar="N", help="train every cell N times (default: 1)"
    )
    bench.add_argument("--gpus", metavar="0,1,2", help="GPUs, one cell at a time on each (default: all)")
    bench.add_argument("-device", choices=["cpu", "cuda"], help="default: cuda where torch sees a GPU, else cpu")
    bench.add_argument(
        "--jobs", type=whole(1, 1000), metavar="N", help="on the CPU: cells side by side (default: one per core)"
    )
    bench.add_argument(
        "--slurm",
        nargs="*",
        metavar="KEY=VALUE",
        help="submit to Slurm instead: time (minutes), partition, mem (GB), cpus, gpus, and options of sbatch",
    )
    bench.add_argument(
        "--test",
        action="store_true",
        help="instead of training: predict imagesTs by the ensemble of each model's folds, and evaluate with labelsTs",
    )
    bench.add_argument("--dry-run", action="store_true", help="show the cells, what is missing and how long it takes")
    _add_planning(bench.add_argument)
    bench.set_defaults(function=bench_command)


def _add_planning(add: Callable[..., Any]) -> None:
    """What is decided before training."""
    add(
        "--power",
        nargs="?",
        const="",
        metavar="RESULTS",
        help="show which difference how many folds and replicates can show, and stop; scatter as in that folder of "
        "results, or assumed",
    )
    add("--paired-sd", type=real(1), metavar="DICE", help="for --power: SD over cases of two rows' difference")
    add("--seed-sd", type=real(1), metavar="DICE", help="for --power: SD of the mean Dice of networks trained again")
    add(
        "--margin",
        type=real(1),
        metavar="DICE",
        help="non-inferiority: not worse than the baseline by more than this; written down before training, for report",
    )


def bench_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.bench.command import bench, bench_on_slurm, dry_run, dry_run_of_tests
    from nnunet_skipx.bench.matrix import Matrix, read_matrix
    from nnunet_skipx.bench.slots import slots
    from nnunet_skipx.bench.slurm import slurm_options

    if args.matrix:
        matrix = read_matrix(args.matrix)
    elif missing := [letter for letter in ("d", "c", "tr") if getattr(args, letter) is None]:
        raise ValueError(f"-{missing[0]} is missing: give -d, -c and -tr as for nnUNetv2_train, or --matrix FILE")
    else:
        matrix = Matrix(
            tuple(args.d), tuple(args.c), tuple(args.tr), tuple(args.p), tuple(args.f), args.npz, args.replicates
        )
    if args.power is not None:
        from nnunet_skipx.bench.planner import Assumptions, plan_power

        assumptions = Assumptions(Path(args.power) if args.power else None, args.paired_sd, args.seed_sd)
        print(plan_power(matrix, assumptions, args.margin))
        return 0
    if (args.paired_sd or args.seed_sd) is not None:
        raise ValueError("--paired-sd and --seed-sd are assumptions of --power: add it")
    if args.test and args.margin is not None:
        raise ValueError("--margin is fixed before training, and --test comes after it: leave one out")
    if args.dry_run:
        print(dry_run_of_tests(matrix) if args.test else dry_run(matrix, slots(args.device, args.gpus, args.jobs)))
        return 0
    if args.margin is not None:
        from nnunet_skipx.bench.preregister import preregister

        print(preregister(matrix, args.margin))
    if args.slurm is not None:
        return bench_on_slurm(matrix, slurm_options(args.slurm), args.test)
    return bench(matrix, slots(args.device, args.gpus, args.jobs), args.test)
