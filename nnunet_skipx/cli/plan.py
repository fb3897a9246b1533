"""`skipx plan` and `skipx list`: the networks, and plans for them."""

import argparse
import json
from pathlib import Path
from typing import Any

from nnunet_skipx.cli.values import real
from nnunet_skipx.system.next_steps import DATASET, go_on


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
    listing = commands.add_parser("list", help="the trainers, what they do, their options")
    listing.add_argument("--parameters", action="store_true", help="count those of their networks, too (takes seconds)")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.add_argument("--sources", action="store_true", help="print what each trainer's network was published as")
    listing.set_defaults(function=list_command)


def plan_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.nnunet.folders import raw_data
    from nnunet_skipx.nnunet.planned import read_planned
    from nnunet_skipx.planning.spelling import require_architecture

    require_architecture(args.architecture, stock=args.vram is not None or args.explain)
    _, dataset_json = read_planned(args.dataset, args.plans)
    if args.vram is not None:
        raw_data()

    from nnunet_skipx.planning.explanation import memory_text, why_small
    from nnunet_skipx.planning.plans_route import write_plans
    from nnunet_skipx.planning.vram import explain_plans, missing_data, plan_for_vram

    if args.vram is None and args.explain:
        print(memory_text(explain_plans(args.dataset, args.architecture, args.plans)))
        return 0
    if args.vram is None:
        path = write_plans(args.dataset, args.architecture, args.plans)
        print(f"wrote {path}")
    else:
        path, memory = plan_for_vram(args.dataset, args.architecture, args.vram, args.plans)
        print("\n".join([f"wrote {path}", *missing_data(args.dataset, path)]))
        small = why_small(path, int(dataset_json.get("numTraining", 0)), memory, args.vram)
        print("\n".join([memory_text(memory, args.vram, parts=args.explain), *small]))
    print(go_on(training_words(args.dataset, path)))
    return 0


def training_words(dataset: str, plans: Path) -> list[object]:
    """The command line that trains the first fold on a plans file that names its network."""
    from nnunet_skipx.nnunet.json_files import read_plans

    configurations = read_plans(plans)["configurations"]
    configuration = "3d_fullres" if "3d_fullres" in configurations else next(iter(configurations))
    return ["nnUNetv2_train", dataset, configuration, 0, "-p", plans.stem]


def list_command(args: argparse.Namespace) -> int:
    if args.sources:
        from nnunet_skipx.results.references import sources_text

        print(sources_text())
        return 0
    from nnunet_skipx.training.catalogue import catalogue, catalogue_text

    content = catalogue(args.parameters)
    if args.json:
        print(json.dumps(content, indent=2))
        return 0
    trainer = content["trainers"][-1]["name"]
    print(catalogue_text(content))
    print(f"\n{go_on(['skipx', 'profile', '-d', DATASET, '-c', '3d_fullres'], ['skipx', 'cite', trainer])}")
    return 0
