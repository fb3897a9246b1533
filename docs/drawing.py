"""What the scripts that draw the pictures of the docs share: colours, boxes, arrows, and saving without a date."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ENCODER, MIXTURE, GATE, DECODER = "#56B4E9", "#E69F00", "#CC79A7", "#009E73"  # Okabe-Ito
GREY = "#555555"
IMAGES = Path(__file__).parent / "images"


def box(axes: Axes, x: float, y: float, width: float, height: float, text: str, colour: str) -> None:
    """A labelled box around (x, y)."""
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0.02", facecolor=colour, edgecolor="none"))
    axes.text(x, y, text, ha="center", va="center", fontsize=9)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = GREY) -> None:
    """An arrow from start to end."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.1})


def save(name: str, draw: Callable[[Axes], None], width: float, height: float, bottom: float, top: float = 4.0) -> None:
    """Write images/`name`.svg, `width` x `height` inches, x from 0 to `width`, y from `bottom` to `top`."""
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = name
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(bottom, top))
    axes.axis("off")
    figure.patch.set_facecolor("white")
    draw(axes)
    figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
