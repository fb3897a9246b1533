"""`skipx wheelhouse`: an installation for a machine without internet."""

import argparse
from typing import Any

from nnunet_skipx.cli.values import path


def add_wheelhouse_parser(commands: Any) -> None:
    """`skipx wheelhouse FOLDER`."""
    text = "write the list of all packages that an installation for a machine without internet needs"
    wheelhouse = commands.add_parser("wheelhouse", help=text, description=text)
    wheelhouse.add_argument("folder", type=path, metavar="FOLDER", help="where the list, and later the wheels, are")
    wheelhouse.add_argument(
        "--package",
        type=wheel,
        metavar="WHEEL",
        help="our own wheel, or a clone or git address (default: where this was installed from)",
    )
    wheelhouse.set_defaults(function=wheelhouse_command)


def wheel(text: str) -> str:
    """An address, or a file or folder that is there; a bare name would be one of an index."""
    if "://" in text:
        return text
    found = path(text).resolve()
    if not found.exists():
        raise argparse.ArgumentTypeError(f"{found} does not exist: give a wheel, a clone or an address (git+https://…)")
    return str(found)


def wheelhouse_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.environment.wheelhouse import write_wheelhouse

    print(write_wheelhouse(args.folder, source=args.package))
    return 0
