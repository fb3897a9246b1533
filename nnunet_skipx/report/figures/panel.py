"""A picture inside a data URI, white, small enough to stand alone on a phone."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

# Okabe and Ito's palette: told apart with every kind of colour blindness. Yellow is left out: too pale on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
WIDTH_INCHES = 4.4
COLOURS_IN_PIXELS = 96
MOST_DRAWN_AS_LINES = 400  # beyond, a picture of points is smaller than their list


@dataclass(frozen=True)
class Panel:
    """One picture: a title in words, a data URI, and what it shows for those who cannot see it.

    group: what it has in common with the pictures beside it. small: many of them stand side by side.
    """

    title: str
    src: str
    alt: str
    group: str = ""
    small: bool = False

    def renamed(self, rename: Callable[[str], str]) -> "Panel":
        """The same with other names in its words."""
        return replace(self, title=rename(self.title), alt=rename(self.alt), group=rename(self.group))


def new_figure(
    height_inches: float, rows: int = 1, columns: int = 1, width_inches: float = WIDTH_INCHES
) -> tuple[Figure, list[Axes]]:
    """A white figure and its axes, row by row; without pyplot, so that nothing is shown or kept."""
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel().tolist()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def data_uri(figure: Figure, kind: Literal["svg", "png"] = "svg") -> str:
    """The figure as a data URI, equal for equal content: no date, no random ids."""
    buffer = io.BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name with dollar signs is no formula
    with matplotlib.rc_context({"svg.hashsalt": "skipx"}):
        figure.savefig(buffer, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
    if kind == "png":
        buffer = _with_fewer_colours(buffer)
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _with_fewer_colours(png: io.BytesIO) -> io.BytesIO:
    """The same picture with a palette, a third as large: a page of many must be small enough to mail."""
    smaller = io.BytesIO()
    palette = Image.Quantize.MAXCOVERAGE  # others give up a colour that few pixels have
    Image.open(png).convert("RGB").quantize(COLOURS_IN_PIXELS, palette).save(smaller, "png", optimize=True)
    return smaller


def kind_for(points: int) -> Literal["svg", "png"]:
    """The format in which that many points are small."""
    return "svg" if points <= MOST_DRAWN_AS_LINES else "png"
