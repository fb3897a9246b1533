"""Draw docs/images/u2net.svg: `python docs/draw_u2net.py`."""

from drawing import DECODER, ENCODER, GATE, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes

SHARED, OWN = MIXTURE, GATE
HEIGHTS = [3.2, 2.2, 1.2, 0.2]


def draw_network(axes: Axes) -> None:
    """Encoder, skips and decoder."""
    for stage, y in enumerate(HEIGHTS[:-1]):
        width = 1.4 - 0.2 * stage
        box(axes, 1.0, y, width, 0.5, f"stage {stage}", ENCODER)
        box(axes, 3.8, y, width, 0.5, f"decoder {stage}", DECODER)
        arrow(axes, (1.0 + width / 2 + 0.05, y), (3.8 - width / 2 - 0.05, y))
        arrow(axes, (1.0, y - 0.28), (1.0, y - 0.72) if stage < 2 else (1.9, HEIGHTS[-1] + 0.1))
        arrow(axes, (3.8, y - 0.72) if stage < 2 else (2.9, HEIGHTS[-1] + 0.1), (3.8, y - 0.28))
    box(axes, 2.4, HEIGHTS[-1], 1.0, 0.45, "bottleneck", ENCODER)
    box(axes, 1.0, 4.05, 1.1, 0.45, "stem", OWN)
    box(axes, 3.8, 4.05, 1.1, 0.45, "head", OWN)
    arrow(axes, (1.0, 3.8), (1.0, 3.48))
    arrow(axes, (3.8, 3.48), (3.8, 3.8))
    axes.text(0.92, 2.7, "strided Sep", ha="right", va="center", fontsize=8, color=GREY)
    axes.text(3.9, 2.7, "enlarge, Sep", ha="left", va="center", fontsize=8, color=GREY)
    axes.text(2.4, 4.35, "every stage is built of separable units", ha="center", fontsize=8, color=GREY)


def draw_unit(axes: Axes) -> None:
    """The separable unit: two domains' adapters around one pointwise convolution."""
    for x, domain in ((6.1, "A"), (8.5, "B")):
        box(axes, x, 3.2, 1.9, 0.6, f"depthwise {domain}\nnorm {domain}, activation", OWN)
        box(axes, x, 0.8, 1.9, 0.45, f"norm {domain}", OWN)
        arrow(axes, (x, 3.9), (x, 3.55))
        arrow(axes, (x, 2.85), (7.3 + (x - 7.3) * 0.4, 2.35))
        arrow(axes, (7.3 + (x - 7.3) * 0.4, 1.65), (x, 1.08))
        arrow(axes, (x, 0.52), (x, 0.2))
        axes.text(x, 4.0, f"map of domain {domain}", ha="center", fontsize=9)
    box(axes, 7.3, 2.0, 2.2, 0.55, "pointwise (1x1), shared", SHARED)
    axes.text(7.3, 4.35, "separable unit", ha="center", fontsize=9, color=GREY)


def draw(axes: Axes) -> None:
    """Both halves of the picture."""
    draw_network(axes)
    draw_unit(axes)


if __name__ == "__main__":
    save("u2net", draw, 9.6, 4.7, -0.1, 4.6)
