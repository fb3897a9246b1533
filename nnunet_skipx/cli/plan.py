"""`skipx plan` and `skipx list`: the networks, and plans for them."""

import argparse
import json
from typing import Any

from nnunet_skipx.cli.values import real


def add_plan_parser(commands: Any) -> None:
    """`skipx plan`."""
    text = "write a plans file that names one of our networks (plans route), or one that fits a GPU"
    plan = commands.add_parser("plan", help=text, description=text)
    plan.add_argument("-d", dest="dataset", required=True, help="dataset id or name, already planned by nnU-Net")
    plan.add_argument("-a", dest="architecture", required=True, help="network, for example UTANet")
    plan.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans to start from (default: nnUNetPlans)")
    plan.add_argument("--vram", type=real(10_000), metavar="GB", help="plan patch and batch for a GPU of this memory")
    plan.add_argument("--explain", action="store_true", help="print the predicted memory of training, part by part")
    plan.set_defaults(function=plan_command)


def add_list_parser(commands: Any) -> None:
    """`skipx list`."""
    listing = commands.add_parser("list", help="the trainers, their parameters and options")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.add_argument("--sources", action="store_true", help="print what each trainer's network was published as")
    listing.set_defaults(function=list_command)


def plan_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.planning.explanation import memory_text
    from nnunet_skipx.planning.plans_route import write_plans
    from nnunet_skipx.planning.vram import explain_plans, missing_data, plan_for_vram

    if args.vram is None and args.explain:
        print(memory_text(explain_plans(args.dataset, args.architecture, args.plans)))
    elif args.vram is None:
        print(f"wrote {write_plans(args.dataset, args.architecture, args.plans)}")
    else:
        path, memory = plan_for_vram(args.dataset, args.architecture, args.vram, args.plans)
        print("\n".join([f"wrote {path}", *missing_data(args.dataset, path)]))
        print(memory_text(memory, args.vram, parts=args.explain))
    return 0


def list_command(args: argparse.Namespace) -> int:
    if args.sources:
        from nnunet_skipx.results.references import sources_text

        print(sources_text())
        return 0
    from nnunet_skipx.training.catalogue import catalogue, catalogue_text

    print(json.dumps(catalogue(), indent=2) if args.json else catalogue_text())
    return 0
