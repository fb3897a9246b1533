"""Draw docs/images/fuseunet.svg: `python docs/draw_fuseunet.py`."""

from drawing import DECODER, ENCODER, GATE, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes


def draw(axes: Axes) -> None:
    """One step of the integration: predict, take the slope, correct, take it again."""
    box(axes, 1.3, 2.0, 2.0, 0.5, "memory y, slopes\nF of earlier nodes", DECODER)
    box(axes, 4.0, 2.6, 1.9, 0.5, "predictor p:\ny + weighted slopes", MIXTURE)
    box(axes, 4.0, 1.0, 1.9, 0.5, "known part of the\ncorrector", MIXTURE)
    arrow(axes, (2.33, 2.1), (3.0, 2.5))
    arrow(axes, (2.33, 1.85), (3.0, 1.15))
    axes.text(5.48, 2.72, "enlarged", fontsize=8, color=GREY, ha="center")
    axes.text(5.48, 0.82, "enlarged", fontsize=8, color=GREY, ha="center")
    box(axes, 7.0, 3.7, 1.4, 0.45, "next skip x", ENCODER)
    box(axes, 7.0, 2.6, 1.9, 0.5, "slope F(x, p) =\nf(p + g(x)) - p", GATE)
    arrow(axes, (7.0, 3.45), (7.0, 2.88))
    arrow(axes, (4.98, 2.6), (6.02, 2.6))
    box(axes, 7.0, 1.0, 1.9, 0.5, "corrected y", MIXTURE)
    arrow(axes, (4.98, 1.0), (6.02, 1.0))
    arrow(axes, (7.0, 2.32), (7.0, 1.28))
    box(axes, 9.6, 2.0, 1.5, 0.5, "slope F(x, y)", GATE)
    arrow(axes, (7.98, 1.15), (8.82, 1.8))
    arrow(axes, (7.73, 3.6), (9.4, 2.3))
    axes.text(9.6, 1.62, "for the steps to come", fontsize=8, color=GREY, ha="center", va="top")
    box(axes, 9.6, 1.0, 1.5, 0.45, "1x1: logits", DECODER)
    arrow(axes, (7.98, 1.0), (8.82, 1.0))


if __name__ == "__main__":
    save("fuseunet", draw, 10.8, 3.5, 0.6, 4.1)
