"""`skipx universal`: one network for several data sets."""

import argparse
import os
from typing import Any

from nnunet_skipx.cli.values import FOLDS, EachOnce, fold, real, whole
from nnunet_skipx.nnunet.names import MOST_IDS
from nnunet_skipx.results.find_models import report_words
from nnunet_skipx.system.next_steps import go_on
from nnunet_skipx.universal.models import UNIVERSAL, clean_staging, free_name, model_folders


def add_universal_parser(commands: Any) -> None:
    """`skipx universal create | extract | adapt`, with nnU-Net's letters."""
    text = "one 3D U2-Net for several data sets"
    universal = commands.add_parser("universal", help=text, description=text)
    steps = universal.add_subparsers(dest="step", required=True, metavar="STEP")

    _add_create(steps)
    _add_extract(steps)
    _add_adapt(steps)


def _add_create(steps: Any) -> None:
    text = "put planned data sets together to one that nnUNetv2_train trains"
    create = steps.add_parser("create", help=text, description=text)
    create.add_argument("-d", dest="datasets", nargs="+", required=True, metavar="DATASET", help="ids or names")
    create.add_argument(
        "--id",
        dest="number",
        type=whole(1, MOST_IDS - 1),
        required=True,
        help="id of the new data set, for example 500",
    )
    create.add_argument("--name", default="Universal", help="its name (default: Universal)")
    create.add_argument(
        "-c",
        dest="configurations",
        nargs="+",
        action=EachOnce,
        default=["3d_fullres"],
        metavar="CONFIGURATION",
        help="configurations (default: 3d_fullres)",
    )
    create.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans (default: nnUNetPlans)")
    create.add_argument(
        "--sampling",
        choices=["round_robin", "sqrt", "proportional"],
        default="round_robin",
        help="how often a domain comes: all alike, or by (the root of) its number of cases (default: round_robin)",
    )
    create.add_argument(
        "--feature-scale", type=real(100), default=1.0, metavar="FACTOR", help="of the planned widths (default: 1)"
    )
    create.set_defaults(function=universal_create_command)


def _add_extract(steps: Any) -> None:
    text = "write every domain of a trained universal run as an ordinary model of its own data set"
    extract = steps.add_parser("extract", help=text, description=text)
    extract.add_argument(
        "-d", dest="number", type=whole(0, MOST_IDS - 1), required=True, metavar="ID", help="the run's data set id"
    )
    extract.add_argument("-f", dest="folds", **FOLDS, help="folds (default: all that are trained)")
    extract.add_argument("-tr", dest="trainer", metavar="TRAINER", help="the run's trainer (default: all)")
    extract.set_defaults(function=universal_extract_command)


def _add_adapt(steps: Any) -> None:
    text = "train a new domain on the frozen shared weights of a finished universal run"
    adapt = steps.add_parser("adapt", help=text, description=text)
    adapt.letters = ("--id", *adapt.letters)
    adapt.add_argument(
        "--id", dest="number", type=whole(0, MOST_IDS - 1), required=True, metavar="ID", help="the run's data set id"
    )
    adapt.add_argument("-d", dest="dataset", required=True, metavar="DATASET", help="the new domain, id or name")
    adapt.add_argument(
        "-f", dest="fold", type=fold, required=True, metavar="FOLD", help="fold of the run and of the data set"
    )
    adapt.add_argument("-c", dest="configuration", default="3d_fullres", help="configuration (default: 3d_fullres)")
    adapt.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans (default: nnUNetPlans)")
    adapt.add_argument("-tr", dest="trainer", metavar="TRAINER", help="the run's trainer, if there are several")
    adapt.add_argument("--npz", action="store_true", help="keep the validation's probabilities, for ensembling")
    adapt.add_argument("-device", choices=["cpu", "cuda"], help="default: cuda where torch sees a GPU, else cpu")
    adapt.set_defaults(function=universal_adapt_command)


def universal_create_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.nnunet.json_files import read_plans
    from nnunet_skipx.nnunet.planned import plans_file, require_configuration

    clean_staging()
    for dataset in args.datasets:
        plans = read_plans(plans_file(dataset, args.plans))
        for configuration in args.configurations:
            require_configuration(plans, configuration)
    free_name(args.number, args.name)

    from nnunet_skipx.universal.create import create_run

    folder = create_run(
        args.datasets, args.number, args.name, args.configurations, args.plans, args.sampling, args.feature_scale
    )
    training = ["nnUNetv2_train", args.number, args.configurations[0], 0, "-tr", UNIVERSAL, "-p", args.plans]
    print(f"wrote {folder}\n{go_on(training)}")
    return 0


def universal_extract_command(args: argparse.Namespace) -> int:
    model_folders(args.number)

    from nnunet_skipx.universal.extract import extract

    written = extract(args.number, args.folds, args.trainer)
    print("\n".join([*(f"wrote {folder}" for folder in written), go_on(report_words([f.parent for f in written]))]))
    return 0


def universal_adapt_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.nnunet.planned import plans_file

    model_folders(args.number, args.plans, args.configuration)
    plans_file(args.dataset, args.plans)

    import torch

    from nnunet_skipx.bench.cell import Cell
    from nnunet_skipx.bench.train_cell import TrainingOrder, train_cell
    from nnunet_skipx.nnunet.folders import results_folder
    from nnunet_skipx.universal.add_domain import adaptation, add_domain

    plan = adaptation(args.number, args.dataset, args.fold, args.configuration, args.plans, args.trainer)
    cell = Cell(results_folder(), plan.dataset, args.configuration, args.fold, plan.trainer, args.plans)
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    threads = (os.cpu_count() or 1) if device == "cpu" else 1  # as nnUNetv2_train sets them
    if status := train_cell(TrainingOrder(cell, device, threads, args.npz)):
        return status
    path = add_domain(plan.run, cell.folder / "checkpoint_final.pth")
    print(f"wrote {path}, with {plan.dataset} among the domains")
    print(go_on([*report_words([cell.folder.parent]), "-f", args.fold]))
    return 0
