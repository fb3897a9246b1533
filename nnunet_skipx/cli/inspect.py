"""`skipx inspect`: what each skip of a trained model contributes."""

import argparse
from pathlib import Path
from typing import Any

from nnunet_skipx.cli.values import FOLDS, path
from nnunet_skipx.system.next_steps import go_on


def add_inspect_parser(commands: Any) -> None:
    """`skipx inspect`, with nnU-Net's letters."""
    text = "measure what each skip of a trained model contributes, on its preprocessed validation cases"
    inspect = commands.add_parser("inspect", help=text, description=text)
    inspect.add_argument(
        "model",
        nargs="?",
        type=path,
        metavar="MODEL_FOLDER",
        help="a trained model, <nnUNet_results>/DATASET/TRAINER__PLANS__CONFIGURATION, instead of -d, -c, -tr and -p",
    )
    inspect.add_argument("-d", dest="dataset", metavar="DATASET", help="data set, id or name")
    inspect.add_argument("-c", dest="configuration", metavar="CONFIGURATION", help="configuration")
    inspect.add_argument("-tr", dest="trainer", metavar="TRAINER", help="trainer")
    inspect.add_argument("-p", dest="plans", metavar="PLANS", help="plans (default: nnUNetPlans)")
    inspect.add_argument("-f", dest="folds", **FOLDS, help="folds (default: all trained)")
    inspect.add_argument("-device", choices=["cpu", "cuda"], help="default: cuda where torch sees a GPU, else cpu")
    inspect.add_argument(
        "-chk",
        dest="checkpoint",
        default="checkpoint_final.pth",
        metavar="FILE",
        help="checkpoint of each fold (default: checkpoint_final.pth)",
    )
    inspect.set_defaults(function=inspect_command)


def inspect_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.inspection.choice import trained_folds

    model = model_of(args)
    trained_folds(model, args.folds, args.checkpoint)

    import torch

    from nnunet_skipx.inspection.command import inspect_model
    from nnunet_skipx.results.find_models import report_words

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    print(inspect_model(model, args.folds, device, args.checkpoint))
    print(go_on([*report_words([model.resolve()]), *results_option(model)]))
    return 0


def results_option(model: Path) -> list[str]:
    """Where a report finds a model that does not lie in nnUNet_results."""
    from nnunet_skipx.nnunet.folders import results_folder

    results = model.resolve().parents[1]
    try:
        return [] if results_folder().resolve() == results else ["--results", str(results)]
    except FileNotFoundError:
        return ["--results", str(results)]


def model_of(args: argparse.Namespace) -> Path:
    """The model's folder, as such or by nnU-Net's letters."""
    from nnunet_skipx.inspection.choice import chosen_model
    from nnunet_skipx.nnunet.folders import results_folder

    letters = {"-d": args.dataset, "-c": args.configuration, "-tr": args.trainer}
    given = [letter for letter, value in {**letters, "-p": args.plans}.items() if value is not None]
    if args.model is not None:
        if given:
            raise ValueError(f"{args.model} is a model's folder, which {given[0]} says again: leave one of the two out")
        return Path(args.model)
    if missing := [letter for letter, value in letters.items() if value is None]:
        raise ValueError(f"{missing[0]} is missing: give -d, -c and -tr as for nnUNetv2_predict, or a model's folder")
    return chosen_model(results_folder(), args.dataset, args.configuration, args.trainer, args.plans or "nnUNetPlans")
