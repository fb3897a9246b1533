"""The command `skipx`: the only place that parses arguments.

Each command imports what it needs when it runs, so that `skipx -h` is quick.
"""

import sys
from collections.abc import Sequence

from nnunet_skipx import __version__
from nnunet_skipx.cli.bench import add_bench_parser
from nnunet_skipx.cli.cite import add_cite_parser
from nnunet_skipx.cli.data import add_convert_parser, add_data_parser, add_fetch_parser
from nnunet_skipx.cli.demo import add_demo_parser
from nnunet_skipx.cli.environment import add_environment_parsers, doctor_command
from nnunet_skipx.cli.inspect import add_inspect_parser
from nnunet_skipx.cli.parser import Parser
from nnunet_skipx.cli.plan import add_list_parser, add_plan_parser
from nnunet_skipx.cli.profile import add_profile_parser
from nnunet_skipx.cli.report import add_report_parser
from nnunet_skipx.cli.universal import add_universal_parser
from nnunet_skipx.cli.wheelhouse import add_wheelhouse_parser
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.system.escaping import terminal_lines
from nnunet_skipx.system.interpreter import SAFE_PATH
from nnunet_skipx.system.os_errors import os_error_text
from nnunet_skipx.system.variables import environment, require_folders, require_usable_variables

HELPS = ("ext-path", "enable", "disable", "doctor", "list", "wheelhouse", "cite")  # work whatever the variables hold
COMMANDS = [
    add_environment_parsers,
    add_plan_parser,
    add_list_parser,
    add_convert_parser,
    add_data_parser,
    add_fetch_parser,
    add_profile_parser,
    add_bench_parser,
    add_report_parser,
    add_inspect_parser,
    add_universal_parser,
    add_demo_parser,
    add_wheelhouse_parser,
    add_cite_parser,
]


def build_parser() -> Parser:
    """All subcommands and their options."""
    parser = Parser(prog="skipx", description="Published skip connections as nnU-Net trainers.")
    parser.add_argument("--version", action="version", version=f"skipx {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; a user's mistake becomes one sentence on stderr and exit code 2."""
    args = build_parser().parse_args(argv)
    args.argv = sys.argv[1:] if argv is None else argv
    if args.function is not doctor_command:  # the doctor looks at what plain nnUNetv2_* commands see
        append_to_environment()
    try:
        if args.command not in HELPS:
            require_usable_variables()
        if args.command not in (*HELPS, "demo"):  # which has folders of its own
            require_folders()
        with environment({SAFE_PATH: "1"}):
            return int(args.function(args))
    except (ValueError, OSError, RuntimeError) as error:
        text = os_error_text(error) if isinstance(error, OSError) else str(error)
        print(f"skipx {args.command}: {terminal_lines(text)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nskipx {args.command}: interrupted; run the same command again to go on.", file=sys.stderr)
        return 130
