"""What our networks cost, against the stock U-Net of the same plan, and their rewrites against the naive rendering.

`python -m benchmarks.cost` prints a table per network (`python -m benchmarks.cost XUNet` that of one); `--write` puts
them into docs/architectures/ as well; `--profile` prints instead where the time of a network's step goes.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch

from benchmarks.plans import PLANS
from benchmarks.steps import build, cross_over_step, full_scale_step, head_step, network_step, ta_mosc_step
from benchmarks.tables import replace_block
from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.profiling.measure import Step, paired_seconds, peak_memory, ratio
from nnunet_skipx.system.machine import describe_machine

PAGES = Path(__file__).parents[1] / "docs" / "architectures"
STOCK = "PlainConvUNet"
RUNS = 5
NAIVE_RUNS = 2  # a naive rendering takes up to a minute per run, and differs by factors
HEAD = ["| plan | comparison | time ratio | peak memory ratio |", "|---|---|---|---|"]


@dataclass(frozen=True)
class Subject:
    """What is measured for one network: variants of it by label, rewrites (title -> step of a plan, naive or not)."""

    variants: dict[str, dict] = field(default_factory=lambda: {"": {}})
    rewrites: dict[str, Callable[[str, bool], Step]] = field(default_factory=dict)


WITH_MORE = {  # than the network as it is
    "UTANet": Subject(rewrites={"TA-MoSC": ta_mosc_step}),
    "XUNet": Subject({"": {}, " with attention": {"attention": True}}, {"cross-over convolutions": cross_over_step}),
    "UDTransNet": Subject(
        {
            "": {},
            " without dropout": {"dropout": 0.0},
            " without attention (the twin)": {"fusion": False, "selection": False, "recalibration": "neutral"},
        }
    ),
    "MSAUNet": Subject(rewrites={"head": head_step}),
    "UNet3Plus": Subject(rewrites={"full-scale skips": full_scale_step}),
}
SUBJECTS = {name: WITH_MORE.get(name, Subject()) for name in NETWORKS}


def row(plan: str, title: str, make: Callable[..., Step], ours: tuple, other: tuple, runs: int) -> str:
    """Time and peak memory of one step against another, as a row of the table."""
    seconds = paired_seconds({"ours": make(*ours), "other": make(*other)}, runs, warmup=1)
    memory = peak_memory(make, *ours) / peak_memory(make, *other)
    times = " / ".join(f"{median(seconds[name]):.2f} s" for name in ("ours", "other"))
    return f"| {plan} | {title} | {ratio(seconds, 'ours', 'other'):.2f} ({times}) | {memory:.2f} |"


def parameters(plan: str, name: str, options: dict) -> int:
    """Parameters of a network on a plan."""
    with torch.device("meta"):
        return sum(p.numel() for p in build(plan, name, options).parameters())


def table(name: str, runs: int) -> str:
    """The cost table of one network."""
    subject, lines = SUBJECTS[name], list(HEAD)
    for plan in PLANS:
        for title, make in subject.rewrites.items():
            against_naive = f"{title}, forward + backward / naive rendering"
            lines.append(row(plan, against_naive, make, (plan, False), (plan, True), NAIVE_RUNS))
        for label, options in subject.variants.items():
            share = parameters(plan, name, options) / parameters(plan, STOCK, {})
            title = f"{name}{label}, training step / stock {STOCK} ({share:.2f} of its parameters)"
            lines.append(row(plan, title, network_step, (plan, name, options), (plan, STOCK, {}), runs))
    how = f"`python -m benchmarks.cost {name} --runs {runs} --write`"
    footnote = f"{how}: median of {runs} paired runs ({NAIVE_RUNS} against naive renderings) on {describe_machine()}."
    return "\n".join([*lines, "", footnote])


def print_profiles(name: str) -> None:
    """The operations that take most of a training step, per plan."""
    for plan in PLANS:
        step = network_step(plan, name, {})
        step()
        with torch.profiler.profile() as profiler:
            step()
        print(plan)
        print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=12, max_name_column_width=40))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(SUBJECTS), metavar="NETWORK", help=", ".join(SUBJECTS))
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    for name in args.networks:
        if args.profile:
            print_profiles(name)
            continue
        print(name, content := table(name, args.runs), sep="\n")
        if args.write:
            replace_block(PAGES / f"{name.lower()}.md", "cost", content)


if __name__ == "__main__":
    main()
