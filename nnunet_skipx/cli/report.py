"""`skipx report`: trained models compared."""

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_report_parser(commands: Any) -> None:
    """`skipx report`, with nnU-Net's letters."""
    text = "compare trained models: a page, tables and raw numbers from nnU-Net's results folders, ours or not"
    report = commands.add_parser("report", help=text, description=text)
    add = report.add_argument
    add("-d", dest="datasets", nargs="+", metavar="DATASET", required=True, help="data sets, ids or names")
    add(
        "-c",
        dest="configurations",
        nargs="+",
        metavar="CONFIGURATION",
        default=["3d_fullres"],
        help="configurations (default: 3d_fullres)",
    )
    add(
        "-tr",
        dest="trainers",
        nargs="+",
        metavar="TRAINER",
        help="trainers in the order of the rows (default: all that have results)",
    )
    add("-p", dest="plans", nargs="+", metavar="PLANS", help="plans (default: all that have results)")
    add("-f", dest="folds", nargs="+", type=int, metavar="FOLD", help="folds (default: those of the protocol, or five)")
    _add_wishes(add)
    report.set_defaults(function=report_command)


def _add_wishes(add: Callable[..., Any]) -> None:
    """How to compare, and what to write."""
    add("--baseline", metavar="ROW", help="the row to compare with (default: nnUNetTrainer)")
    add("--allow-missing", action="store_true", help="compare on the folds that all have")
    add("--rope", type=float, metavar="DICE", default=0.003, help="a difference that hardly matters (default: 0.003)")
    add(
        "--nsd-mm",
        type=float,
        nargs="+",
        metavar="MM",
        default=[],
        help="also NSD at this tolerance, HD95, IoU, volume error; one for all data sets or one for each",
    )
    add("--lesions", action="store_true", help="also lesion-wise F1, IoU, volume error")
    add(
        "--convention",
        choices=["nnunet", "transunet", "udtransnet"],
        default="nnunet",
        help="whose script's rule for absent classes to follow (default: nnunet)",
    )
    add(
        "--empty",
        choices=["scored", "left-out"],
        default="scored",
        help="a class that the reference lacks and only some rows predict: 0 for these and 1 for the others, or left "
        "out of comparisons (default: scored)",
    )
    add("--references", type=Path, metavar="FOLDER", help="true label maps (default: nnU-Net's own)")
    add("--images", type=Path, metavar="FOLDER", help="images for the slices (default: imagesTr in nnUNet_raw)")
    add(
        "--profile",
        type=Path,
        nargs="+",
        metavar="FILE",
        default=[],
        help="what skipx profile --json printed, for the memory",
    )
    add("--results", type=Path, metavar="FOLDER", help="results folder (default: nnUNet_results)")
    add("-o", dest="out", type=Path, default=Path("skipx_report"), help="where to (./skipx_report)")


def report_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.nnunet.folders import results_folder
    from nnunet_skipx.report.command import ReportOptions, report
    from nnunet_skipx.results.find_models import find_models
    from nnunet_skipx.results.row_cost import read_profile

    results = args.results or results_folder()
    datasets = [
        find_models(results, dataset, args.configurations, args.trainers, args.plans) for dataset in args.datasets
    ]
    options = ReportOptions(
        baseline=args.baseline,
        allow_missing=args.allow_missing,
        rope=args.rope,
        nsd_mm=args.nsd_mm,
        lesions=args.lesions,
        convention=args.convention,
        empty=args.empty,
        references=args.references,
        images=args.images,
        profiles=[read_profile(path) for path in args.profile],
        command=shlex.join(["skipx", *args.argv]),
    )
    print(report(datasets, args.folds, args.out, options))
    return 0
