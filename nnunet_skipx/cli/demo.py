"""`skipx demo`: the whole comparison in miniature."""

import argparse
from pathlib import Path
from typing import Any

from nnunet_skipx.cli.values import FOLDS, EachOnce, path

DEFAULT_DEMO_FOLDER = Path("skipx_demo")


def add_demo_parser(commands: Any) -> None:
    """`skipx demo`."""
    text = "the whole comparison in miniature, on the CPU"
    demo = commands.add_parser("demo", help=text, description=text)
    demo.letters = ("-o",)
    demo.note = "; -o is where to work, data come from --data FOLDER or --download, else from a generated phantom"
    demo.add_argument(
        "-o",
        dest="folder",
        type=path,
        default=DEFAULT_DEMO_FOLDER,
        metavar="FOLDER",
        help="where to work (./skipx_demo)",
    )
    source = demo.add_mutually_exclusive_group()
    source.add_argument(
        "--data",
        type=path,
        metavar="FOLDER",
        help="an MSD task folder, such as Task04_Hippocampus (default: a generated phantom)",
    )
    source.add_argument("--download", action="store_true", help="fetch Task04_Hippocampus from MSD's public bucket")
    demo.add_argument(
        "-tr",
        dest="trainers",
        nargs="+",
        action=EachOnce,
        default=["nnUNetTrainer", "nnUNetTrainerUTANet"],
        metavar="TRAINER",
        help="trainers (default: nnUNetTrainer nnUNetTrainerUTANet)",
    )
    demo.add_argument("-f", dest="folds", **FOLDS, default=[0, 1, 2, 3, 4], help="folds (default: all five)")
    demo.set_defaults(function=demo_command)


def demo_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.demo.arguments import require_arguments

    require_arguments(args.trainers, args.folds, args.data)

    from nnunet_skipx.demo.run import run_demo

    return run_demo(args.folder, data=args.data, download=args.download, trainers=args.trainers, folds=args.folds)
