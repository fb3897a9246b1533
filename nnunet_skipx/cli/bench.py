"""`skipx bench`: a matrix of trainings."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnunet_skipx.cli.values import FOLDS, EachMetricOnce, EachOnce, in_metric, path, real, require_existing, whole
from nnunet_skipx.statistics.metric import DICE, require_margin
from nnunet_skipx.system.next_steps import go_on

if TYPE_CHECKING:
    from nnunet_skipx.bench.matrix import Matrix


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
        "--architectures",
        nargs="+",
        action=EachOnce,
        metavar="NAME",
        help="the trainers of these networks beside nnU-Net's own, or all; each with options: UTANet all_twin",
    )
    bench.add_argument(
        "--skips",
        choices=("cut", "alone", "each"),
        help="which skip matters: nnU-Net's own trainer with each skip cut, each one alone, or both, and without any",
    )
    bench.add_argument("-p", nargs="+", action=EachOnce, metavar="PLANS", help="plans (default: nnUNetPlans)")
    told = "folds, or all, which trains on every case (default: every fold of the data set)"
    bench.add_argument("-f", **FOLDS, help=told)
    bench.add_argument(
        "-pretrained_weights",
        type=lambda text: str(path(text)),
        metavar="CHECKPOINT",
        help="train every trainer from this file, too, as TRAINER_warm beside TRAINER: does the warm start help?",
    )
    bench.add_argument("--npz", action="store_true", help="keep the validation's probabilities, for ensembles")
    bench.add_argument("--replicates", type=whole(1, 100), metavar="N", help="train every cell N times (default: 1)")
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
        type=in_metric,
        nargs="+",
        action=EachMetricOnce,
        metavar="METRIC=VALUE",
        default={},
        help="non-inferiority: not worse than the baseline by more than this, in Dice unless a metric is named as in "
        "'NSD (1 mm)=0.02'; written down before training, for report",
    )


def bench_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.bench.slots import require_places, slots
    from nnunet_skipx.bench.slurm_options import slurm_options

    matrix = matrix_of(args)
    require_known(matrix, args.test)
    if args.power is not None:
        return power(args, matrix)
    if (args.paired_sd or args.seed_sd) is not None:
        raise ValueError("--paired-sd and --seed-sd are assumptions of --power: add it")
    if args.test and args.margin:
        raise ValueError("--margin is fixed before training, and --test comes after it: leave one out")
    options = None if args.slurm is None else slurm_options(args.slurm)
    require_places(args.device, args.gpus, args.jobs)

    from nnunet_skipx.bench.command import bench, bench_on_slurm, dry_run, dry_run_of_tests
    from nnunet_skipx.bench.next_steps import bench_words, reading

    if args.dry_run:
        print(dry_run_of_tests(matrix) if args.test else dry_run(matrix, slots(args.device, args.gpus, args.jobs)))
        print(go_on(["skipx", *(word for word in args.argv if word != "--dry-run")]))
        return 0
    if args.margin:
        from nnunet_skipx.bench.preregister import preregister

        for metric, margin in args.margin.items():
            print(preregister(matrix, margin, metric))
    if options is not None:
        status = bench_on_slurm(matrix, options, args.test)
        print(go_on([*bench_words(matrix), "--dry-run"], *reading(matrix)))
        return status
    status = bench(matrix, slots(args.device, args.gpus, args.jobs), args.test)
    if status == 0:
        print(go_on(*reading(matrix)))
    return status


def matrix_of(args: argparse.Namespace) -> "Matrix":
    """The matrix in a file, or that of the letters; ValueError where both are given, or one is missing."""
    from nnunet_skipx.bench.letters import LETTERS, TRAINERS, lacking, matrix_from, read_matrix

    given = {letter: value for letter in (*LETTERS, *TRAINERS) if (value := getattr(args, letter)) not in (None, False)}
    if args.matrix:
        if given:
            doubled = ("npz", "replicates", *TRAINERS)
            spelled = next(f"--{letter}" if letter in doubled else f"-{letter}" for letter in given)
            raise ValueError(f"--matrix {args.matrix} holds all letters: put {spelled} into that file, or leave it out")
        return read_matrix(args.matrix)
    if missing := lacking(given):
        words = "give -d, -c and -tr as for nnUNetv2_train (or --architectures all), or --matrix FILE"
        raise ValueError(f"-{missing} is missing: {words}")
    return matrix_from({letter: tuple(value) if isinstance(value, list) else value for letter, value in given.items()})


def require_known(matrix: "Matrix", test: bool) -> None:
    """Say what of a matrix is not there before torch is imported, with errors as of `cells`, or of the test sets."""
    from nnunet_skipx.bench.matrix import planned_folds
    from nnunet_skipx.nnunet.folders import results_folder
    from nnunet_skipx.results.find_models import results_of
    from nnunet_skipx.training.spelling import require_trainers

    results = results_folder()
    if test:
        for dataset in matrix.datasets:
            results_of(dataset, results)
    else:
        planned_folds(matrix)
    require_trainers(matrix.rows)


def power(args: argparse.Namespace, matrix: "Matrix") -> int:
    """Show which difference the matrix can show, and stop."""
    results = Path(args.power) if args.power else None
    require_existing("--power", [results])

    from nnunet_skipx.bench.next_steps import bench_words
    from nnunet_skipx.bench.planner import Assumptions, plan_power

    assumptions = Assumptions(results, args.paired_sd, args.seed_sd)
    dice = dice_margin(args.margin)
    margin = [] if dice is None else ["--margin", dice]
    print(f"{plan_power(matrix, assumptions, dice)}\n{go_on([*bench_words(matrix), *margin, '--dry-run'])}")
    return 0


def dice_margin(margins: Mapping[str, float]) -> float | None:
    """That which --power can plan."""
    if others := [metric for metric in margins if metric != DICE]:
        raise ValueError(f"--power plans in Dice: leave the --margin in {others[0]} out")
    if DICE in margins:
        require_margin(margins[DICE], DICE)
    return margins.get(DICE)
