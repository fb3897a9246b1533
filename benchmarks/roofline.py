"""What a GPU's memory, arithmetic and launches allow: expected times of a step of every network, none of them measured.

`python -m benchmarks.roofline` prints the table of docs/gpu_roofline.md, which `--write` puts there as well;
`python -m benchmarks.roofline --profile UTANet` prints which operations and functions move most. Needs no GPU.
"""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.recorded_step import SIZES, STOCK, recorded_step
from benchmarks.recorder import Recorder
from benchmarks.tables import replace_block
from nnunet_skipx.architectures import NETWORKS

PAGE = Path(__file__).parents[1] / "docs" / "gpu_roofline.md"
BANDWIDTH = 4.8e12  # bytes per second of an H200, by its data sheet, as the rest
PEAK = {"half": 989e12, "tf32": 494e12, "single": 67e12}  # operations per second
LAUNCH = 5e-6  # seconds that the host needs for an operation, a usual figure
GIGA, TERA = 1e9, 1e12
# Milliseconds of a training step in 3D, uncompiled and compiled, on one H200 with torch 2.11, CUDA 13, float16 autocast
# and GradScaler; UTANet's before its sums over voxels were cut into pieces.
MEASURED = {STOCK: (66.9, 43.3), "UTANet": (229.0, 128.9)}
HEAD = (
    "| plan | network | GB | TFLOP | launches | memory ms | arithmetic ms | launches ms | expected ms "
    "| expected ratio | measured ratio, uncompiled | measured ratio, compiled |"
)


def times(step: Recorder) -> tuple[float, float, float]:
    """Seconds for memory, arithmetic and launches."""
    arithmetic = sum(count / PEAK[unit] for unit, count in step.operations.items())
    return step.bytes.total() / BANDWIDTH, arithmetic, LAUNCH * step.launches.total()


def ratios(step: Recorder, size: str) -> tuple[float, float]:
    """Bytes and expected time of a step over those of the stock network's at that size."""
    stock = recorded_step(STOCK, size)
    return step.bytes.total() / stock.bytes.total(), sum(times(step)) / sum(times(stock))


def row(name: str, size: str, measured: Mapping[str, tuple[float, float]]) -> str:
    """A row of the table."""
    step = recorded_step(name, size)
    shape = SIZES[size]
    seconds = times(step)
    plan = f"{size.upper()} {'x'.join(map(str, shape.patch))}, batch {shape.batch}"
    cells = [
        plan,
        name,
        f"{step.bytes.total() / GIGA:.1f}",
        f"{step.operations.total() / TERA:.2f}",
        f"{step.launches.total()}",
        *(f"{1000 * value:.1f}" for value in (*seconds, sum(seconds))),
        f"{ratios(step, size)[1]:.2f}",
        *measured_ratios(name, size, measured),
    ]
    return f"| {' | '.join(cells)} |"


def measured_ratios(name: str, size: str, measured: Mapping[str, tuple[float, float]]) -> list[str]:
    """Uncompiled and compiled, "-" where there is no measurement."""
    if size != "3d" or not {name, STOCK} <= measured.keys():
        return ["-", "-"]
    return [f"{ours / stock:.2f}" for ours, stock in zip(measured[name], measured[STOCK], strict=True)]


def table(measured: Mapping[str, tuple[float, float]], networks: Iterable[str] = NETWORKS) -> str:
    """The table of networks, beside milliseconds measured in 3D, uncompiled and compiled, by network."""
    rows = [row(name, size, measured) for size in SIZES for name in (STOCK, *networks)]
    return "\n".join([HEAD, f"|{'---|' * (HEAD.count('|') - 1)}", *rows])


def profile(name: str) -> str:
    """What moves most bytes and launches most, by operation and by function of this package."""
    lines = []
    for size in SIZES:
        step = recorded_step(name, size)
        for title, counter, unit in (
            ("GB by operation", step.bytes, GIGA),
            ("GB by function", step.places, GIGA),
            ("launches by operation", step.launches, 1),
            ("float32 maps by function", +step.wide, 1),
        ):
            entries = ", ".join(f"{key} {count / unit:.4g}" for key, count in counter.most_common(8))
            lines.append(f"{name} {size}, {title}: {entries}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--profile", metavar="NETWORK", help="a trainer's name with options, without nnUNetTrainer")
    args = parser.parse_args()
    if args.profile:
        print(profile(args.profile))
        return
    print(content := table(MEASURED))
    if args.write:
        replace_block(PAGE, "roofline", content)


if __name__ == "__main__":
    main()
