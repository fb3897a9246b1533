"""Draw docs/images/universal.svg: `python docs/draw_universal.py`."""

from drawing import GATE, GREY, MIXTURE, arrow, box, save
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

SHARED, OWN = MIXTURE, GATE
DOMAINS = {"A": 4, "B": 4, "C": 3, "D": 4}  # stages of each; D comes later
COLUMNS = dict(zip(DOMAINS, (2.4, 4.4, 6.4, 9.2), strict=True))
ROWS = [3.0, 2.2, 1.4, 0.6]


def draw(axes: Axes) -> None:
    """A column per domain, a row per stage; what is shared runs through a row."""
    for stage, y in enumerate(ROWS):
        here = [COLUMNS[name] for name, stages in DOMAINS.items() if stage < stages]
        left = min(here) - 0.95
        axes.add_patch(Rectangle((left, y - 0.31), max(here) + 0.95 - left, 0.62, facecolor=SHARED, edgecolor="none"))
        axes.text(1.35, y, f"stage {stage}: pointwise", ha="right", va="center", fontsize=9)
        for name, stages in DOMAINS.items():
            if stage < stages:
                box(axes, COLUMNS[name], y, 1.4, 0.36, f"depthwise, norms {name}", OWN)
            else:  # this domain's plan has no such stage
                axes.add_patch(
                    Rectangle((COLUMNS[name] - 0.95, y - 0.32), 1.9, 0.64, facecolor="white", edgecolor="none")
                )
    for name, x in COLUMNS.items():
        box(axes, x, 3.75, 1.4, 0.36, f"stem {name}", OWN)
        box(axes, x, -0.15, 1.4, 0.36, f"heads {name}", OWN)
        arrow(axes, (x, 3.52), (x, 3.35))
        bottom = ROWS[DOMAINS[name] - 1] - 0.35
        arrow(axes, (x, bottom), (x, 0.07))
        axes.text(x, 4.15, f"data set {name}", ha="center", fontsize=9)
    axes.plot([7.8, 7.8], [-0.4, 4.3], color=GREY, ls=":")
    axes.text(4.4, 4.5, "trained together, one data set per iteration", ha="center", fontsize=9, color=GREY)
    axes.text(9.2, 4.5, "adapted later: shared part frozen", ha="center", fontsize=9, color=GREY)


if __name__ == "__main__":
    save("universal", draw, 10.6, 5.2, -0.5, 4.75)
