"""Draw docs/images/uctransnet.svg: `python docs/draw_uctransnet.py`."""

from drawing import DECODER, ENCODER, GATE, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes

STAGES = 4
HEIGHTS = [3.6 - 0.85 * stage for stage in range(STAGES)]


def draw_skips(axes: Axes) -> None:
    """Encoder stages, their tokens, what CCT adds to each skip, a CCA each and the decoder."""
    for stage, y in enumerate(HEIGHTS):
        box(axes, 0.7, y, 1.1 - 0.12 * stage, 0.5, f"stage {stage}", ENCODER)
        box(axes, 2.15, y - 0.15, 1.0, 0.3, f"patches of {16 // 2**stage}", MIXTURE)
        arrow(axes, (1.3, y - 0.05), (1.62, y - 0.15))
        arrow(axes, (2.68, y - 0.15), (3.1, y - 0.15))
        arrow(axes, (6.6, y - 0.15), (7.0, y - 0.04))
        axes.plot([1.3, 6.7], [y + 0.13, y + 0.13], color=ENCODER, lw=1.1, zorder=1)  # behind the boxes drawn later
        arrow(axes, (6.65, y + 0.13), (7.0, y + 0.07), ENCODER)
        box(axes, 7.2, y, 0.3, 0.3, "+", MIXTURE)
        box(axes, 8.15, y, 0.9, 0.5, f"CCA {stage}", GATE)
        arrow(axes, (7.38, y), (7.67, y))
        arrow(axes, (8.63, y), (9.05, y))
        box(axes, 9.65, y, 1.1 - 0.12 * stage, 0.5, f"decoder {stage}", DECODER)
        start = (9.65, HEIGHTS[stage + 1] + 0.28) if stage < STAGES - 1 else (5.68, -0.3)
        arrow(axes, start, (9.65, y - 0.28))
        arrow(axes, start, (8.4, y - 0.28), GATE)
    box(axes, 4.85, -0.3, 1.6, 0.45, "bottleneck", ENCODER)
    arrow(axes, (0.7, HEIGHTS[-1] - 0.28), (4.02, -0.3))


def draw_layer(axes: Axes) -> None:
    """One layer of CCT between the tokens that enter and those that leave."""
    axes.text(4.85, 3.55, "CCT, 4 layers", ha="center", va="center", fontsize=9)
    box(axes, 4.85, 2.65, 2.3, 0.8, "each skip's channels\nattend to those of all:\nmean of 4 heads", MIXTURE)
    box(axes, 4.85, 1.35, 1.4, 0.5, "MLP\nof each skip", MIXTURE)
    arrow(axes, (3.15, 2.65), (3.67, 2.65))
    arrow(axes, (4.85, 2.22), (4.85, 1.63))
    axes.text(4.95, 1.9, "MCA + Q", fontsize=8, color=GREY, ha="left", va="center")
    arrow(axes, (5.57, 1.35), (6.6, 1.35))
    axes.text(6.55, 1.47, "MCA + MLP", fontsize=8, color=GREY, ha="right", va="center")


def draw(axes: Axes) -> None:
    """Both halves of the picture."""
    box(axes, 4.85, 2.2, 3.4, 3.1, "", "#F2F2F2")
    draw_skips(axes)
    draw_layer(axes)


if __name__ == "__main__":
    save("uctransnet", draw, 10.4, 4.8, -0.7, 4.2)
