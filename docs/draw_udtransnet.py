"""Draw docs/images/udtransnet.svg: `python docs/draw_udtransnet.py`."""

from drawing import DECODER, ENCODER, GATE, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes

STAGES = 4
HEIGHTS = [3.6 - 0.85 * stage for stage in range(STAGES)]


def draw_skips(axes: Axes) -> None:
    """Encoder stages, their tokens, a DRA each and the decoder."""
    for stage, y in enumerate(HEIGHTS):
        box(axes, 0.7, y, 1.1 - 0.12 * stage, 0.5, f"stage {stage}", ENCODER)
        box(axes, 2.15, y, 1.1, 0.5, f"patches of {16 // 2**stage}\n+ position", MIXTURE)
        arrow(axes, (1.3, y), (1.57, y))
        arrow(axes, (2.73, y), (3.1, y))
        arrow(axes, (6.6, y), (6.97, y))
        box(axes, 7.5, y, 1.0, 0.5, f"DRA {stage}", GATE)
        arrow(axes, (8.03, y), (8.45, y))
        box(axes, 9.05, y, 1.1 - 0.12 * stage, 0.5, f"decoder {stage}", DECODER)
        start = (9.05, HEIGHTS[stage + 1] + 0.28) if stage < STAGES - 1 else (5.68, -0.3)
        arrow(axes, start, (9.05, y - 0.28))
        arrow(axes, start, (7.75, y - 0.28), GATE)
    box(axes, 4.85, -0.3, 1.6, 0.45, "bottleneck", ENCODER)
    arrow(axes, (0.7, HEIGHTS[-1] - 0.28), (4.02, -0.3))


def draw_layer(axes: Axes) -> None:
    """One layer of DAT, from below upwards, between the tokens that enter and those that leave."""
    box(axes, 4.85, 2.33, 3.4, 3.3, "", "#F2F2F2")
    axes.text(4.85, 3.78, "DAT, 4 layers", ha="center", va="center", fontsize=9)
    box(axes, 4.0, 3.15, 1.4, 0.62, "channel attention\nover all scales'\nfeatures", MIXTURE)
    box(axes, 5.75, 2.25, 1.4, 0.62, "spatial attention\nof each scale", GATE)
    box(axes, 5.75, 1.15, 1.4, 0.5, "feed-forward\nof each scale", MIXTURE)
    arrow(axes, (3.15, 3.15), (3.27, 3.15))
    arrow(axes, (4.72, 3.15), (5.75, 2.6))
    axes.text(5.32, 3.05, "keys, values", fontsize=8, color=GREY, ha="left")
    arrow(axes, (3.15, 2.25), (5.02, 2.25))
    axes.text(3.3, 2.36, "each scale's queries", fontsize=8, color=GREY, ha="left")
    arrow(axes, (5.75, 1.91), (5.75, 1.43))
    arrow(axes, (6.47, 1.15), (6.6, 1.15))
    axes.text(4.0, 1.5, "scores:\nsoftmax(IN(QK))", fontsize=8, color=GREY, ha="center")


def draw(axes: Axes) -> None:
    """Both halves of the picture."""
    draw_layer(axes)
    draw_skips(axes)


if __name__ == "__main__":
    save("udtransnet", draw, 9.8, 4.8, -0.7, 4.2)
