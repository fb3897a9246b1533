"""The page of `skipx data check`: one HTML file without anything from outside."""

import base64
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import jinja2
import numpy as np

from nnunet_skipx import __version__
from nnunet_skipx.datasets.check.records import CaseRecord, Channel, RawDataset
from nnunet_skipx.datasets.check.summary import Row, caption, headline
from nnunet_skipx.datasets.check.thumbnails import colour_of
from nnunet_skipx.datasets.check.words import GRADES, Finding, number, verdict
from nnunet_skipx.system.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
AT_MOST = 200  # thumbnails
PLOT_HEIGHT = 100  # of a range plot, in its own units
LONGEST = 20  # times the median range, from which on a plot is logarithmic


@dataclass(frozen=True)
class Tile:
    """A thumbnail with its text. src: empty where nothing could be drawn."""

    case: str
    folder: str
    src: str
    lines: Sequence[str]
    has_findings: bool


@dataclass(frozen=True)
class Bar:
    """One case in a range plot: top and bottom of all of its values, and of the middle 99 %, counted from above."""

    title: str
    all: tuple[float, float]
    usual: tuple[float, float]


@dataclass(frozen=True)
class RangePlot:
    """A channel's values in every case."""

    title: str
    low: str
    high: str
    bars: Sequence[Bar]


def write_page(
    path: Path,
    dataset: RawDataset,
    records: Sequence[CaseRecord],
    findings: Sequence[Finding],
    notes: Sequence[str],
    rows: Sequence[Row],
) -> None:
    """Write the page; OSError if it cannot be written."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("data_check.html.j2").render(
        title=dataset.folder.name,
        sentences=[f"{headline(records, dataset)}.", verdict(findings), *notes],
        rows=rows,
        groups=[(grade, [finding for finding in findings if finding.grade == grade]) for grade in GRADES],
        plots=range_plots(records, dataset),
        plot_height=PLOT_HEIGHT,
        legend=[(name, colour_of(place, name)) for place, name in enumerate(dataset.labels.drawn)],
        drawn="the first three channels as colours" if dataset.is_rgb else f"channel 0 ({dataset.channel_names[0]})",
        tiles=tiles(records, dataset, findings),
        cases=len(records),
        versions={"nnunet-skipx": __version__, "nnunetv2": version("nnunetv2"), "Python": platform.python_version()},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, html)


def tiles(records: Sequence[CaseRecord], dataset: RawDataset, findings: Sequence[Finding]) -> list[Tile]:
    """A thumbnail per case, those with findings first, problems before remarks; no more than `AT_MOST`."""
    grades: dict[str, str] = {}
    for finding in findings:
        for case in finding.cases:
            grades[case] = min(grades.get(case, finding.grade), finding.grade)  # "problem" < "remark"
    order = sorted(records, key=lambda record: (grades.get(record.name, "with none"), record.part, record.name))
    return [
        Tile(
            record.name,
            f"images{record.part}",
            data_uri(record.thumbnail),
            caption(record, dataset),
            record.name in grades,
        )
        for record in order[:AT_MOST]
    ]


def data_uri(picture: bytes) -> str:
    """A PNG file inside the page."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}" if picture else ""


def range_plots(records: Sequence[CaseRecord], dataset: RawDataset) -> list[RangePlot]:
    """One per channel that has a range, cases by name from left to right, imagesTs last."""
    plots = []
    ordered = sorted(records, key=lambda record: (record.part, record.name))
    for position, name in enumerate(dataset.channel_names):
        seen = [(record.name, record.channels[position]) for record in ordered if len(record.channels) > position]
        seen = [(case, channel) for case, channel in seen if np.isfinite(channel.low)]
        low, high = min((c.low for _, c in seen), default=0), max((c.high for _, c in seen), default=0)
        if low < high:
            plots.append(range_plot(f"{position} {name}", seen, low, high))
    return plots


def range_plot(title: str, seen: Sequence[tuple[str, Channel]], low: float, high: float) -> RangePlot:
    """Bars of each case's channel between `low` and `high`, on a logarithmic scale where most would be too short."""
    is_log = high - low > LONGEST * np.median([channel.high - channel.low for _, channel in seen])
    scale = np.log1p if is_log else np.asarray

    def ends(bottom: float, top: float) -> tuple[float, float]:
        parts = scale(np.array([top, bottom]) - low) / scale(high - low)
        return float((1 - parts[0]) * PLOT_HEIGHT), float((1 - parts[1]) * PLOT_HEIGHT)

    bars = [
        Bar(
            f"{case}: {number(channel.low)} to {number(channel.high)}",
            ends(channel.low, channel.high),
            ends(*channel.usual),
        )
        for case, channel in seen
    ]
    return RangePlot(f"{title}{', logarithmic scale' if is_log else ''}", number(low), number(high), bars)
