"""Draw docs/images/msaunet.svg: `python docs/draw_msaunet.py`."""

from drawing import DECODER, ENCODER, GATE, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes

HEIGHTS = [3.3, 2.3, 1.3, 0.3]  # of stages 0, 1, 2 and the bottleneck


def draw_encoder(axes: Axes) -> None:
    """Image and stages; all but first and bottleneck also see the image and the maps ahead of their own input."""
    box(axes, 0.75, 4.2, 0.9, 0.4, "image", ENCODER)
    names = ["stage 0", "stage 1", "stage 2", "bottleneck"]
    column = [4.2, *HEIGHTS]
    for name, y, above in zip(names, HEIGHTS, column, strict=False):
        box(axes, 2.7, y, 1.1, 0.5, name, ENCODER)
        start = (1.22, 4.2) if name == "stage 0" else (2.7, above - 0.27)
        arrow(axes, start, (2.7, y + 0.28))
    for source in range(len(column) - 3):  # 0 is the image
        x = 0.75 + 0.4 * source
        top = column[source] - 0.22 if source == 0 else column[source]
        if source:
            axes.plot([2.13, x], [top, top], color=MIXTURE, lw=1.3)
        axes.plot([x, x], [top, HEIGHTS[-2] + 0.12 * source], color=MIXTURE, lw=1.3)
        for stage in range(source + 1, len(HEIGHTS) - 1):
            y = HEIGHTS[stage] + 0.12 * source
            arrow(axes, (x, y), (2.13, y), MIXTURE)
    axes.text(0.1, -0.2, "re-injection: resize, one convolution, added", fontsize=8, color=GREY, va="center")


def draw_decoder(axes: Axes) -> None:
    """Skips, decoder stages, one head per map and their sum."""
    for stage, y in enumerate(HEIGHTS):
        last = stage == len(HEIGHTS) - 1
        if not last:
            box(axes, 6.5, y, 1.1, 0.5, f"decoder {stage}", DECODER)
            below = (3.27, y - 1.0) if stage == 2 else (6.5, y - 0.73)
            arrow(axes, below, (6.5, y - 0.28) if stage < 2 else (6.2, y - 0.28))
        if stage == 0:
            box(axes, 4.6, y, 1.5, 0.5, "Att = t + (c1 + c2) x", GATE)
            arrow(axes, (3.27, y), (3.83, y))
            arrow(axes, (5.37, y), (5.93, y))
        elif not last:
            arrow(axes, (3.27, y), (5.93, y))
        box(axes, 8.1, y, 0.9, 0.45, "head 1x1", MIXTURE)
        arrow(axes, (7.07, y) if not last else (3.27, y), (7.63, y))
        arrow(axes, (8.57, y), (9.17, 3.3) if stage == 0 else (9.17, 3.2 - 0.06 * stage))
    box(axes, 9.5, 3.3, 0.6, 0.5, "sum", MIXTURE)
    axes.text(9.5, 3.72, "logits", ha="center", fontsize=9, color=GREY)
    axes.text(9.0, 0.85, "enlarge\nthe logits", ha="left", fontsize=8, color=GREY)


def draw(axes: Axes) -> None:
    """Both halves of the picture."""
    draw_encoder(axes)
    draw_decoder(axes)


if __name__ == "__main__":
    save("msaunet", draw, 10.2, 4.8, -0.4, 4.6)
