"""Draw docs/images/utanet.svg: `python docs/draw_utanet.py`."""

from drawing import DECODER, ENCODER, GATE, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes

STAGES = 4


def draw(axes: Axes) -> None:
    """Encoder, fused map, experts, gates, dockers and decoder from left to right."""
    heights = [3.2 - 0.9 * stage for stage in range(STAGES)]
    for stage, y in enumerate(heights):
        box(axes, 0.7, y, 1.1 - 0.15 * stage, 0.5, f"stage {stage}", ENCODER)
        arrow(axes, (1.3, y), (2.1, 2.0 + 0.12 * (1.5 - stage)))
        box(axes, 7.15, y, 1.1, 0.5, f"docker {stage + 1}\n1x1, resize", MIXTURE)
        box(axes, 5.75, y, 0.9, 0.5, f"gate {stage + 1}\ntop 2", GATE)
        arrow(axes, (4.75, 1.9), (5.28, y))
        arrow(axes, (6.22, y), (6.58, y))
        arrow(axes, (7.72, y), (8.3, y))
        box(axes, 8.9, y, 1.1 - 0.15 * stage, 0.5, f"decoder {stage}", DECODER)
    box(axes, 4.8, -0.55, 1.6, 0.45, "bottleneck", ENCODER)
    arrow(axes, (0.7, 0.2), (4.0, -0.55))
    arrow(axes, (5.6, -0.55), (8.9, 0.2))
    box(axes, 2.6, 1.9, 0.9, 1.2, "fuse\n1x1 of all,\nat stage 1's\nresolution", MIXTURE)
    for n in range(4):
        y = 3.0 - 0.75 * n
        arrow(axes, (3.06, 1.9), (3.6, y))
        box(axes, 4.15, y, 1.0, 0.5, f"expert {n + 1}", MIXTURE)
    axes.text(5.75, 3.75, "softmax of mean(X) G", ha="center", fontsize=8, color=GREY)
    axes.text(2.6, 1.05, "X", ha="center", fontsize=9, color=GREY)


if __name__ == "__main__":
    save("utanet", draw, 9.6, 4.6, -0.9)
