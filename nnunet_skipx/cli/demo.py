"""`skipx demo`: the whole comparison in miniature."""

import argparse
from pathlib import Path
from typing import Any

from nnunet_skipx.cli.values import FOLDS, EachOnce, path

DEFAULT_DEMO_FOLDER = Path("skipx_demo")


def add_demo_parser(commands: Any) -> None:
    """`skipx demo`."""
    demo = commands.add_parser("demo", help="the whole comparison in miniature, on the CPU")
    demo.add_argument("folder", nargs="?", type=path, default=DEFAULT_DEMO_FOLDER, help="where to work (./skipx_demo)")
    source = demo.add_mutually_exclusive_group()
    source.add_argument("--data", type=path, help="an MSD task folder, for example Task04_Hippocampus")
    source.add_argument("--download", action="store_true", help="fetch Task04_Hippocampus from MSD's public bucket")
    demo.add_argument(
        "--trainers", nargs="+", action=EachOnce, default=["nnUNetTrainer", "nnUNetTrainerUTANet"], metavar="TRAINER"
    )
    demo.add_argument("--folds", **FOLDS, default=[0, 1, 2, 3, 4])
    demo.set_defaults(function=demo_command)


def demo_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.demo.run import run_demo

    return run_demo(args.folder, data=args.data, download=args.download, trainers=args.trainers, folds=args.folds)
