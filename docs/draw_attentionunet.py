"""Draw docs/images/attentionunet.svg: `python docs/draw_attentionunet.py`."""

from drawing import DECODER, ENCODER, GATE, GREY, arrow, box, save
from matplotlib.axes import Axes


def draw(axes: Axes) -> None:
    """One decoder stage: the gate between its skip and the decoder map of the stage below."""
    box(axes, 1.0, 2.6, 1.4, 0.5, "skip x", ENCODER)
    box(axes, 1.0, 0.6, 1.4, 0.5, "decoder map\nbelow, g", DECODER)
    box(axes, 3.2, 1.9, 1.6, 0.42, "1x1, stride as g", GATE)
    box(axes, 3.2, 1.2, 1.6, 0.42, "1x1", GATE)
    arrow(axes, (1.5, 2.32), (2.38, 1.95))
    arrow(axes, (1.73, 0.8), (2.38, 1.15))
    box(axes, 4.8, 1.55, 0.9, 0.5, "+, relu", GATE)
    arrow(axes, (4.03, 1.85), (4.33, 1.65))
    arrow(axes, (4.03, 1.25), (4.33, 1.45))
    box(axes, 6.4, 1.55, 1.5, 0.5, "1x1 to 1 channel,\nsigmoid", GATE)
    arrow(axes, (5.28, 1.55), (5.63, 1.55))
    axes.text(7.3, 1.75, "enlarged", fontsize=8, color=GREY)
    axes.plot([7.18, 8.0], [1.55, 1.55], color=GREY, lw=1.1)
    arrow(axes, (8.0, 1.54), (8.0, 2.42))
    box(axes, 8.0, 2.6, 0.34, 0.34, "x", GATE)
    arrow(axes, (1.73, 2.6), (7.8, 2.6), ENCODER)
    box(axes, 9.8, 1.6, 1.5, 0.6, "stock stage\nof [u, gated x]", DECODER)
    arrow(axes, (8.2, 2.55), (9.5, 1.95))
    axes.plot([1.73, 9.8], [0.5, 0.5], color=GREY, lw=1.1)
    arrow(axes, (9.8, 0.49), (9.8, 1.27))
    axes.text(5.2, 0.4, "transposed convolution: u", fontsize=8, color=GREY, ha="center", va="top")


if __name__ == "__main__":
    save("attentionunet", draw, 10.8, 3.1, 0.0, 3.1)
