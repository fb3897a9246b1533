"""Draw docs/images/noskip.svg: `python docs/draw_noskip.py`."""

from drawing import DECODER, ENCODER, GREY, arrow, box, save
from matplotlib.axes import Axes

KEPT = (False, True, True)  # full resolution first


def draw(axes: Axes) -> None:
    """A U-Net of three skips, of which the finest is cut."""
    for stage, kept in enumerate(KEPT):
        y, x = 3.0 - 0.75 * stage, 1.2 + 0.5 * stage
        right = 7.6 - 0.5 * stage
        box(axes, x, y, 1.3, 0.42, f"encoder {stage}", ENCODER)
        box(axes, right, y, 2.0, 0.42, "[below, skip]" if kept else "below alone", DECODER)
        arrow(axes, (x + 0.1, y - 0.24), (x + 0.45, y - 0.52))
        arrow(axes, (right - 0.45, y - 0.52), (right - 0.1, y - 0.24))
        if kept:
            arrow(axes, (x + 0.68, y), (right - 1.03, y), ENCODER)
        else:
            axes.plot([x + 0.68, 3.6], [y, y], color=GREY, lw=1.1, ls=":")
            axes.text(4.1, y, "cut", fontsize=9, color=GREY, ha="center", va="center")
            axes.plot([4.6, right - 1.03], [y, y], color=GREY, lw=1.1, ls=":")
    box(axes, 4.4, 0.75, 3.0, 0.42, "bottleneck", ENCODER)
    axes.text(9.0, 3.0, "0", fontsize=11, color=GREY, va="center")
    axes.text(9.0, 2.25, "1", fontsize=11, color=GREY, va="center")
    axes.text(9.0, 1.5, "1", fontsize=11, color=GREY, va="center")
    axes.text(9.35, 2.25, "nnUNetTrainer_skips011", fontsize=9, color=GREY, va="center")


if __name__ == "__main__":
    save("noskip", draw, 11.4, 3.0, 0.4, 3.4)
