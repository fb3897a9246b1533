"""A training step of every network against the stock U-Net's on this CPU, beside what we aim for.

`python -m benchmarks.cpu_ratios [--write]` prints the table, and puts it into docs/gpu.md. Nothing else should run
meanwhile: it takes six minutes on two cores.

The C library's allocator gives large maps back to the system at every step and has their pages filled with zeros anew,
which can cost more than the mechanism. Training happens on GPUs, where torch keeps the memory. So preload an allocator
that keeps it, too: `LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1`.
"""

import argparse
import os
from pathlib import Path

from benchmarks.plans import PLANS
from benchmarks.steps import network_step
from benchmarks.tables import replace_block
from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.profiling.measure import paired_seconds, ratio
from nnunet_skipx.system.machine import describe_machine

PAGE = Path(__file__).parents[1] / "docs" / "gpu.md"
STOCK = "PlainConvUNet"
GOALS = {  # of the ratio, in the order of PLANS; a network may have none
    "UTANet": (1.25, 1.15),
    "XUNet": (1.4, 1.4),
    "UDTransNet": (1.6, 1.3),
    "MSAUNet": (1.1, 1.15),
    "U2Net": (1.0, 0.7),
}


def measured(plan: str, name: str, runs: int) -> tuple[float, float, float]:
    """The ratio, pair by pair: median, lowest and highest."""
    steps = {which: network_step(plan, which, {}) for which in (name, STOCK)}
    seconds = paired_seconds(steps, runs, warmup=1)
    ratios = [ours / stock for ours, stock in zip(seconds[name], seconds[STOCK], strict=True)]
    return ratio(seconds, name, STOCK), min(ratios), max(ratios)


def table(runs: int) -> str:
    """A row per network, its ratio and goal on each plan."""
    columns = ["network", *(column for plan in PLANS for column in (plan, "goal"))]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name in NETWORKS:
        cells = []
        for plan, goal in zip(PLANS, GOALS.get(name, (None, None)), strict=True):
            median, lowest, highest = measured(plan, name, runs)
            cells += [f"{median:.2f} ({lowest:.2f} to {highest:.2f})", "-" if goal is None else f"<= {goal:g}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    allocator = Path(os.environ.get("LD_PRELOAD", "the C library's")).name
    told = f"Medians of {runs} pairs of steps (lowest to highest); `python -m benchmarks.cpu_ratios`,"
    return "\n".join([*lines, "", f"{told} {describe_machine()}, allocator: {allocator}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    content = table(args.runs)
    print(content)
    if args.write:
        replace_block(PAGE, "cpu-ratios", content)


if __name__ == "__main__":
    main()
