"""`skipx report`: trained models compared."""

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnunet_skipx.results.lesions import LesionRule

from nnunet_skipx.cli.values import FOLDS, EachMetricOnce, EachOnce, in_metric, metric, path, real, require_existing


def add_report_parser(commands: Any) -> None:
    """`skipx report`, with nnU-Net's letters."""
    text = "compare trained models: a page, tables and raw numbers from nnU-Net's results folders, ours or not"
    report = commands.add_parser("report", help=text, description=text)
    add = report.add_argument
    add(
        "-d",
        dest="datasets",
        nargs="+",
        action=EachOnce,
        metavar="DATASET",
        required=True,
        help="data sets, ids or names",
    )
    add(
        "-c",
        dest="configurations",
        nargs="+",
        action=EachOnce,
        metavar="CONFIGURATION",
        default=["3d_fullres"],
        help="configurations (default: 3d_fullres)",
    )
    add(
        "-tr",
        dest="trainers",
        nargs="+",
        action=EachOnce,
        metavar="TRAINER",
        help="trainers in the order of the rows (default: all that have results)",
    )
    add("-p", dest="plans", nargs="+", action=EachOnce, metavar="PLANS", help="plans (default: all that have results)")
    add("-f", dest="folds", **FOLDS, help="folds (default: those of the protocol, or five)")
    add("--test", action="store_true", help="on the test set, as skipx bench --test predicted it")
    _add_comparison(add)
    _add_metrics(add)
    _add_files(add)
    report.set_defaults(function=report_command)


def _add_comparison(add: Callable[..., Any]) -> None:
    """How to compare."""
    add("--baseline", metavar="ROW", help="the row to compare with (default: nnUNetTrainer)")
    add("--allow-missing", action="store_true", help="compare on the folds that all have")
    add(
        "--rope",
        type=real(1),
        metavar="DICE",
        default=0.003,
        help="a difference that hardly matters (default: 0.003)",
    )
    add(
        "--margin",
        type=in_metric,
        nargs="+",
        action=EachMetricOnce,
        metavar="METRIC=VALUE",
        default={},
        help="non-inferiority: not worse by more than this, in Dice unless a metric is named as in NSD=0.02 (default: "
        "what skipx bench --margin fixed before training)",
    )
    add(
        "--covariates",
        type=path,
        nargs="+",
        metavar="FILE",
        default=[],
        help="CSV with a column case and what is known of the cases (centre, age); one for all data sets or one each",
    )
    add(
        "--cluster",
        type=path,
        nargs="+",
        metavar="FILE",
        default=[],
        help="CSV with columns case and patient, whose cases are not independent (default: those of provenance.json)",
    )
    add(
        "--failure",
        type=in_metric,
        nargs="+",
        action=EachMetricOnce,
        metavar="METRIC=VALUE",
        default={},
        help="a case that is worse has failed, as in 0.6 HD95-with-misses=20 (default: 0.5 of Dice)",
    )
    add(
        "--metrics",
        type=metric,
        nargs="+",
        action=EachOnce,
        metavar="METRIC",
        default=[],
        help="metrics with tails, sizes and covariates, beside Dice (default: NSD and HD95-with-misses with --nsd-mm)",
    )


def _add_metrics(add: Callable[..., Any]) -> None:
    """What to measure, and how it counts."""
    add(
        "--nsd-mm",
        type=real(1000, or_zero=True),
        nargs="+",
        metavar="MM",
        default=[],
        help="also NSD at this tolerance, HD95, IoU, volume error; one for all data sets or one for each",
    )
    add("--lesions", action="store_true", help="also lesions: F1, panoptic quality, sensitivity, false positives")
    add(
        "--lesion-iou",
        type=real(1, or_zero=True),
        metavar="IOU",
        help="a lesion is found by one of larger IoU, each by one (default: 0.5; 0: any shared voxel)",
    )
    add(
        "--lesion-min-mm3",
        type=real(1e9, or_zero=True),
        metavar="MM3",
        help="smaller lesions do not count (default: 0)",
    )
    add("--calibration", action="store_true", help="also calibration, from what nnUNetv2_train --npz wrote")
    add("--check-metrics", action="store_true", help="take Dice, NSD and HD95 again with surface-distance, and compare")
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


def _add_files(add: Callable[..., Any]) -> None:
    """What to read, and where to write."""
    add("--references", type=path, metavar="FOLDER", help="true label maps (default: nnU-Net's own)")
    add("--images", type=path, metavar="FOLDER", help="images for the slices (default: imagesTr in nnUNet_raw)")
    add(
        "--profile",
        type=path,
        nargs="+",
        metavar="FILE",
        default=[],
        help="what skipx profile --json printed, for the memory",
    )
    add("--results", type=path, metavar="FOLDER", help="results folder (default: nnUNet_results)")
    add("-o", dest="out", type=path, default=Path("skipx_report"), help="where to (./skipx_report)")


def report_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.nnunet.folders import results_folder
    from nnunet_skipx.results.find_models import find_models
    from nnunet_skipx.system.os_errors import require_writable

    require_writable(args.out, "-o")
    require_existing("--covariates", args.covariates)
    require_existing("--cluster", args.cluster)
    require_existing("--references", [args.references])
    require_existing("--images", [args.images])
    require_existing("--profile", args.profile, "skipx profile … --json > FILE writes one")
    results = args.results or results_folder()
    datasets = [
        find_models(results, dataset, args.configurations, args.trainers, args.plans) for dataset in args.datasets
    ]

    from nnunet_skipx.report.command import ReportOptions, report
    from nnunet_skipx.results.row_cost import read_profile

    options = ReportOptions(
        test=args.test,
        baseline=args.baseline,
        allow_missing=args.allow_missing,
        rope=args.rope,
        nsd_mm=args.nsd_mm,
        lesions=lesion_rule(args.lesions, args.lesion_iou, args.lesion_min_mm3),
        calibration=args.calibration,
        check_metrics=args.check_metrics,
        convention=args.convention,
        empty=args.empty,
        references=args.references,
        images=args.images,
        margins=args.margin,
        covariates=args.covariates,
        clusters=args.cluster,
        failure=args.failure,
        metrics=args.metrics,
        profiles=[read_profile(path) for path in args.profile],
        command=shlex.join(["skipx", *args.argv]),
    )
    print(report(datasets, args.folds, args.out, options))
    return 0


def lesion_rule(wanted: bool, iou: float | None, min_mm3: float | None) -> "LesionRule | None":
    """Either number asks for lesions, too; None where nothing does."""
    from nnunet_skipx.results.lesions import LesionRule

    given = {name: value for name, value in (("iou", iou), ("min_mm3", min_mm3)) if value is not None}
    return LesionRule(**given) if wanted or given else None
