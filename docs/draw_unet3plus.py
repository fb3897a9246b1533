"""Draw docs/images/unet3plus.svg: `python docs/draw_unet3plus.py`."""

from drawing import DECODER, ENCODER, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes

SOURCES = (  # what decoder stage 3 of 5 sees: label, colour, how it is brought to the stage's size
    ("encoder 1", ENCODER, "max pool 4"),
    ("encoder 2", ENCODER, "max pool 2"),
    ("encoder 3", ENCODER, ""),
    ("decoder 4", DECODER, "enlarged by 2"),
    ("bottleneck", DECODER, "enlarged by 4"),
)


def draw(axes: Axes) -> None:
    """Decoder stage 3 of 5: each source resized, convolved to the same width, concatenated and fused."""
    for row, (label, colour, resized) in enumerate(SOURCES):
        y = 3.3 - 0.68 * row
        box(axes, 1.0, y, 1.5, 0.42, label, colour)
        arrow(axes, (1.78, y), (3.72, y))
        axes.text(2.75, y + 0.08, resized, fontsize=8, color=GREY, ha="center")
        box(axes, 4.6, y, 1.6, 0.42, "3x3 to w", MIXTURE)
        arrow(axes, (5.43, y), (6.55, 1.94 + 0.11 * (2 - row)))
    box(axes, 7.0, 1.94, 0.8, 0.9, "concat\n5w", DECODER)
    arrow(axes, (7.43, 1.94), (7.9, 1.94))
    box(axes, 8.8, 1.94, 1.7, 0.6, "3x3 to 5w,\nnorm, activation", DECODER)
    arrow(axes, (9.68, 1.94), (10.1, 1.94))
    axes.text(10.15, 1.94, "decoder 3", fontsize=9, va="center")


if __name__ == "__main__":
    save("unet3plus", draw, 11.2, 3.7, 0.2, 3.7)
