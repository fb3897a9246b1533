"""Draw docs/images/utanet.svg: `python docs/draw_utanet.py`."""
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

OUTPUT = Path(__file__).parent / "images" / "utanet.svg"
ENCODER, MIXTURE, GATE, DECODER = "#56B4E9", "#E69F00", "#CC79A7", "#009E73"  # Okabe-Ito
STAGES = 4


def box(axes: Axes, x: float, y: float, width: float, height: float, text: str, colour: str) -> None:
    """A labelled box around (x, y)."""
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0.02", facecolor=colour, edgecolor="none"))
    axes.text(x, y, text, ha="center", va="center", fontsize=9)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = "#555555") -> None:
    """An arrow from start to end."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.1})


def draw(axes: Axes) -> None:
    """Encoder, fused map, experts, gates, dockers and decoder from left to right."""
    heights = [3.2 - 0.9 * stage for stage in range(STAGES)]
    for stage, y in enumerate(heights):
        box(axes, 0.7, y, 1.1 - 0.15 * stage, 0.5, f"stage {stage}", ENCODER)
        arrow(axes, (1.3, y), (2.1, 2.0 + 0.12 * (1.5 - stage)))
        box(axes, 7.15, y, 1.1, 0.5, f"docker {stage + 1}\n1x1, resize", MIXTURE)
        box(axes, 5.75, y, 0.9, 0.5, f"gate {stage + 1}\ntop 2", GATE)
        arrow(axes, (4.75, 1.9), (5.28, y))
        arrow(axes, (6.22, y), (6.58, y))
        arrow(axes, (7.72, y), (8.3, y))
        box(axes, 8.9, y, 1.1 - 0.15 * stage, 0.5, f"decoder {stage}", DECODER)
    box(axes, 4.8, -0.55, 1.6, 0.45, "bottleneck", ENCODER)
    arrow(axes, (0.7, 0.2), (4.0, -0.55))
    arrow(axes, (5.6, -0.55), (8.9, 0.2))
    box(axes, 2.6, 1.9, 0.9, 1.2, "fuse\n1x1 of all,\nat stage 1's\nresolution", MIXTURE)
    for n in range(4):
        y = 3.0 - 0.75 * n
        arrow(axes, (3.06, 1.9), (3.6, y))
        box(axes, 4.15, y, 1.0, 0.5, f"expert {n + 1}", MIXTURE)
    axes.text(5.75, 3.75, "softmax of mean(X) G", ha="center", fontsize=8, color="#555555")
    axes.text(2.6, 1.05, "X", ha="center", fontsize=9, color="#555555")


def main() -> None:
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "utanet"
    figure = Figure(figsize=(9.6, 4.6))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 9.6), ylim=(-0.9, 4.0))
    axes.axis("off")
    figure.patch.set_facecolor("white")
    draw(axes)
    figure.savefig(OUTPUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
