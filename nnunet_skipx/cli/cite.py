"""`skipx cite`: what to cite."""

import argparse
from typing import Any


def add_cite_parser(commands: Any) -> None:
    """`skipx cite TRAINER...`."""
    text = "print BibTeX for trainers: their networks, nnU-Net, and what options in their names add"
    cite = commands.add_parser("cite", help=text, description=text)
    cite.add_argument("trainers", nargs="+", metavar="TRAINER", help="as nnUNetv2_train -tr takes it")
    cite.set_defaults(function=cite_command)


def cite_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.results.citations import bibliography
    from nnunet_skipx.training.spelling import require_trainers

    require_trainers(args.trainers)
    print(bibliography(args.trainers))
    return 0
