"""`skipx ext-path`, `enable`, `disable`, `doctor`: whether nnU-Net finds us, and whether it can train here."""

import argparse
from typing import Any

from nnunet_skipx.cli.values import EachOnce
from nnunet_skipx.discovery import ext_path


def add_environment_parsers(commands: Any) -> None:
    """`skipx ext-path`, `enable` and `disable`, which take no arguments, and `doctor`."""
    simple_commands = {
        "ext-path": (ext_path_command, 'print the folder for: export nnUNet_extTrainer="$(skipx ext-path)"'),
        "enable": (enable_command, "let plain nnUNetv2_* commands of this Python environment find our trainers"),
        "disable": (disable_command, "undo `skipx enable`"),
    }
    for name, (function, text) in simple_commands.items():
        commands.add_parser(name, help=text, description=text).set_defaults(function=function)
    text = "check that training can work here; exit 1 if it cannot"
    doctor = commands.add_parser("doctor", help=text, description=text)
    doctor.add_argument(
        "-tr",
        dest="trainers",
        nargs="+",
        action=EachOnce,
        default=[],
        metavar="TRAINER",
        help="trainers to look for as nnU-Net does, yours too (default: all of ours)",
    )
    doctor.set_defaults(function=doctor_command)


def ext_path_command(args: argparse.Namespace) -> int:
    print(ext_path())
    return 0


def enable_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.environment.startup_hook import enable

    for path in enable():
        print(f"wrote {path}")
    print("Enabled: nnUNetv2_train and nnUNetv2_predict of this Python environment now find our trainers.")
    return 0


def disable_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.environment.startup_hook import disable

    removed = disable()
    for path in removed:
        print(f"removed {path}")
    print("Disabled." if removed else "Nothing to remove: the start-up hook was not enabled in this environment.")
    return 0


def doctor_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.environment.doctor import run_doctor

    return run_doctor(args.trainers)
