"""`skipx inspect`: what each skip of a trained model contributes."""

import argparse
from typing import Any

from nnunet_skipx.cli.values import FOLDS, path


def add_inspect_parser(commands: Any) -> None:
    """`skipx inspect`, with nnU-Net's letters."""
    text = "measure what each skip of a trained model contributes, on its preprocessed validation cases"
    inspect = commands.add_parser("inspect", help=text, description=text)
    inspect.add_argument(
        "model",
        type=path,
        metavar="MODEL_FOLDER",
        help="a trained model: <nnUNet_results>/DATASET/TRAINER__PLANS__CONFIGURATION",
    )
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
    import torch

    from nnunet_skipx.inspection.command import inspect_model

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    print(inspect_model(args.model, args.folds, device, args.checkpoint))
    return 0
