"""Draw docs/images/unetplusplus.svg: `python docs/draw_unetplusplus.py`."""

from drawing import DECODER, ENCODER, GATE, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes

LAST = 3
WIDTH, HEIGHT = 1.0, 0.42


def place(i: int, j: int) -> tuple[float, float]:
    """Where X(i, j) stands."""
    return 0.8 + 0.95 * i + 1.9 * j, 3.2 - 0.9 * i


def draw(axes: Axes) -> None:
    """Four stages: encoder, nested nodes, decoder, and the heads of full resolution."""
    for i in range(LAST + 1):
        for j in range(LAST + 1 - i):
            x, y = place(i, j)
            colour = ENCODER if j == 0 else DECODER if i + j == LAST else MIXTURE
            box(axes, x, y, WIDTH, HEIGHT, f"X({i}, {j})", colour)
            if j:
                below_x, below_y = place(i + 1, j - 1)
                arrow(axes, (below_x + 0.2, below_y + 0.24), (x - 0.3, y - 0.25))
                before = place(i, j - 1)[0]
                arrow(axes, (before + 0.54, y), (x - 0.54, y), ENCODER if j == 1 else GREY)
            elif i:
                above_x, above_y = place(i - 1, 0)
                arrow(axes, (above_x + 0.05, above_y - 0.25), (x - 0.25, y + 0.24), ENCODER)
    for stage, start, end, height in ((0, 0, 2, 0.3), (0, 0, 3, 0.6), (0, 1, 3, 0.45), (1, 0, 2, 0.3)):
        bow(axes, stage, start, end, height)
    for j in range(1, LAST + 1):
        x, y = place(0, j)
        box(axes, x, y + 1.15, 0.62, 0.3, "head", GATE)
        arrow(axes, (x, y + 0.24), (x, y + 0.97))
    axes.text(8.0, 4.35, "mean of all", fontsize=9, color=GREY, va="center")
    arrow(axes, (6.85, 4.35), (7.9, 4.35))
    notes = ((ENCODER, "nnU-Net's encoder"), (MIXTURE, "nested nodes, narrow"), (DECODER, "nnU-Net's decoder"))
    for n, (colour, text) in enumerate(notes):
        box(axes, 6.5, 1.6 - 0.45 * n, 0.3, 0.22, "", colour)
        axes.text(6.8, 1.6 - 0.45 * n, text, fontsize=9, va="center")


def bow(axes: Axes, stage: int, start: int, end: int, height: float) -> None:
    """A dense connection, above the nodes between."""
    (left, y), right = place(stage, start), place(stage, end)[0] - 0.25 + height / 3
    left += height / 3
    axes.plot([left, left, right], [y + 0.23, y + height, y + height], color=GREY, lw=0.9)
    arrow(axes, (right, y + height), (right, y + 0.22))


if __name__ == "__main__":
    save("unetplusplus", draw, 9.0, 4.6, 0.1, 4.7)
