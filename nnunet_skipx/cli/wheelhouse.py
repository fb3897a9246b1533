"""`skipx wheelhouse`: an installation for a machine without internet."""

import argparse
from pathlib import Path
from typing import Any

from nnunet_skipx.cli.values import path


def add_wheelhouse_parser(commands: Any) -> None:
    """`skipx wheelhouse FOLDER`."""
    text = "write the list of all packages that an installation for a machine without internet needs"
    wheelhouse = commands.add_parser("wheelhouse", help=text, description=text)
    wheelhouse.add_argument("folder", type=path, metavar="FOLDER", help="where the list, and later the wheels, are")
    wheelhouse.add_argument(
        "--package",
        metavar="WHEEL",
        help="our own wheel, or a clone or git address (default: where this was installed from)",
    )
    wheelhouse.set_defaults(function=wheelhouse_command)


def wheelhouse_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.environment.wheelhouse import write_wheelhouse

    source = args.package
    if source is not None and Path(source).exists():
        source = str(Path(source).resolve())  # a bare name would be one of an index
    print(write_wheelhouse(args.folder, source=source))
    return 0
