"""Draw docs/images/xunet.svg: `python docs/draw_xunet.py`."""

from drawing import DECODER, ENCODER, GATE, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes

STAGES = 4  # the last one is the bottleneck
HEIGHTS = [3.4 - 1.15 * stage for stage in range(STAGES)]


def draw(axes: Axes) -> None:
    """Encoder on the left, decoder on the right, and for every decoder stage one arrow from every encoder stage."""
    for stage, y in enumerate(HEIGHTS):
        last = stage == STAGES - 1
        box(axes, 1.0, y, 1.3 - 0.15 * stage, 0.5, "bottleneck" if last else f"stage {stage}", ENCODER)
        if not last:
            arrow(axes, (1.0, y - 0.28), (1.0, HEIGHTS[stage + 1] + 0.28))
            draw_decoder_stage(axes, stage)
    axes.plot([1.5, 7.9], [HEIGHTS[-1] - 0.12] * 2, color=GREY, lw=1.1)
    arrow(axes, (7.9, HEIGHTS[-1] - 0.13), (7.9, HEIGHTS[-2] - 0.12))
    axes.text(8.0, HEIGHTS[-1] - 0.05, "u", fontsize=9, color=GREY)
    axes.text(4.9, HEIGHTS[-1] - 0.2, "transposed convolution", fontsize=8, color=GREY, ha="center", va="top")


def draw_decoder_stage(axes: Axes, stage: int) -> None:
    """The first convolution, in its stock part and the others', the sum, and the rest of one decoder stage."""
    y = HEIGHTS[stage]
    box(axes, 5.0, y - 0.3, 1.9, 0.36, "conv of the other maps", MIXTURE)
    box(axes, 7.9, y + 0.14, 1.5, 0.46, "stock conv\nof [u, own skip]", DECODER)
    arrow(axes, (1.7 - 0.075 * stage, y + 0.14), (7.12, y + 0.14), ENCODER)
    for source, other in enumerate(HEIGHTS):
        if source != stage:
            width = 1.3 - 0.15 * source
            arrow(axes, (1.03 + width / 2, other), (4.02, y - 0.3 + 0.05 * (stage - source)), MIXTURE)
    arrow(axes, (5.98, y - 0.3), (9.12, y - 0.3), MIXTURE)
    arrow(axes, (8.68, y + 0.1), (9.12, y + 0.1))
    box(axes, 9.3, y - 0.1, 0.3, 0.6, "+", GATE)
    box(axes, 10.55, y - 0.1, 1.4, 0.5, "norm, activation,\nrest of stage", DECODER)
    arrow(axes, (9.48, y - 0.1), (9.83, y - 0.1))
    if stage:
        above = HEIGHTS[stage - 1]
        axes.plot([10.55, 10.55, 7.9], [y + 0.18, y + 0.52, y + 0.52], color=GREY, lw=1.1)
        arrow(axes, (7.9, y + 0.51), (7.9, above - 0.12))
        axes.text(8.0, y + 0.58, "u", fontsize=9, color=GREY)


if __name__ == "__main__":
    save("xunet", draw, 11.5, 4.7, -0.7)
