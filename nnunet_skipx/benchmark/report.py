"""The cross-validation report: one offline HTML file, and a table for the terminal."""
import functools
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import jinja2
import pandas as pd

from nnunet_skipx import __version__
from nnunet_skipx.benchmark.cost import Cost
from nnunet_skipx.benchmark.figures import Panel, curve_panels, dice_panels, difference_panels, usage_panels
from nnunet_skipx.benchmark.slices import slice_panels
from nnunet_skipx.benchmark.statistics import ROPE, Interval
from nnunet_skipx.benchmark.summary import MetricRow, Row, metric_rows, sentence, summary_rows
from nnunet_skipx.benchmark.training_log import TrainingLog
from nnunet_skipx.files import write_text

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class ReportInput:
    """All that a report shows. Parts that are left out drop their section.

    table: rows of `collect.collect`, and of `atlas.atlas_table` if wanted, for one data set and one plan.
    baseline: the trainer that the others are compared with.
    costs: by trainer. logs: by trainer, then fold.
    model_folders, images_folder, labels_folder: for the pictures: folders by trainer, imagesTr, labelsTr.
    settings: name -> value, printed as they are. notes: sentences that a reader must know, for example what was
        shortened.
    """

    title: str
    table: pd.DataFrame
    baseline: str
    dataset_json: dict
    costs: Mapping[str, Cost] = field(default_factory=dict)
    logs: Mapping[str, Mapping[int, TrainingLog]] = field(default_factory=dict)
    model_folders: Mapping[str, Path] = field(default_factory=dict)
    images_folder: Path | None = None
    labels_folder: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @functools.cached_property
    def rows(self) -> list[Row]:
        """The numbers, one row per trainer."""
        return summary_rows(self.table, self.baseline, self.costs, self.logs)

    @functools.cached_property
    def metric_rows(self) -> list[MetricRow]:
        """The numbers of metrics other than Dice."""
        return metric_rows(self.table, self.baseline)

    @property
    def sentences(self) -> list[str]:
        """What the numbers allow to say, a sentence per comparison."""
        return [text for row in self.rows if (text := sentence(row, self.baseline))]


def write_report(inputs: ReportInput, folder: Path) -> Path:
    """Write `folder/report.html` and return its path; ValueError or FileNotFoundError as the parts raise them."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(dice=format_interval, difference=format_difference,
                               signed=format_signed)
    html = environment.get_template("report.html.j2").render(
        inputs=inputs, rows=inputs.rows, comparisons=[row for row in inputs.rows if row.difference], rope=ROPE,
        protocol=protocol(inputs.table), left_out=_left_out(inputs.rows),
        labels=list(inputs.table["label"].unique()), folds=sorted(inputs.table["fold"].unique()),
        sentences=inputs.sentences, sections=_sections(inputs), versions=_versions())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    write_text(path, html)
    return path


def terminal_table(inputs: ReportInput) -> str:
    """The same rows as plain text, followed by the sentences and notes."""
    table = shown_table(inputs.rows).to_string(index=False)
    return "\n".join([protocol(inputs.table), "", table, "", *inputs.sentences, *inputs.notes])


def shown_table(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as people read them, all text."""
    return pd.DataFrame([_terminal_row(row) for row in rows])


def protocol(table: pd.DataFrame) -> str:
    """Data set, cases and folds in one line."""
    networks = table[table["plans"] != "-"]
    models = ", ".join(sorted(set(networks["plans"] + " " + networks["configuration"])))
    folds = sorted(table["fold"].unique())
    return (f"{', '.join(table['dataset'].unique())}: {table['case'].nunique()} cases, validated once each in "
            f"{len(folds)} fold{'s' if len(folds) > 1 else ''} ({', '.join(map(str, folds))}); {models}")


def format_interval(interval: Interval) -> str:
    """0.843 [0.830, 0.855]; without the bracket where there are too few cases for an interval."""
    if math.isnan(interval.low):
        return f"{interval.value:.3f} (n = {interval.n})"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def format_difference(row: Row) -> str:
    """+0.012 [+0.004, +0.020], p = 0.003; 'baseline' for the baseline."""
    if row.difference is None or row.p is None:
        return "baseline"
    numbers = format_signed(row.difference.interval)
    if math.isnan(row.difference.interval.low):
        return numbers
    return f"{numbers}, " + ("p < 0.001" if row.p < 0.001 else f"p = {row.p:.3f}")


def format_signed(interval: Interval | None) -> str:
    """+0.012 [+0.004, +0.020]; 'baseline' for None."""
    if interval is None:
        return "baseline"
    if math.isnan(interval.low):
        return f"{interval.value:+.3f} (n = {interval.n})"
    return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def _terminal_row(row: Row) -> dict[str, str]:
    return {
        "trainer": row.trainer,
        **{label: f"{interval.value:.3f}" for label, interval in row.per_class.items()},
        "mean Dice [95 % CI]": format_interval(row.mean),
        "difference [95 % CI], p": format_difference(row),
        "parameters": f"{row.cost.parameters / 1e6:.2f} M" if row.cost else "-",
        "GFLOPs": f"{row.cost.gflops:.2f}" if row.cost else "-",
        "s/epoch": f"{row.seconds_per_epoch:.1f}" if row.seconds_per_epoch is not None else "-",
    }


def _left_out(rows: Sequence[Row]) -> list[str]:
    return [f"{row.trainer}, {label}: {interval.dropped}" for row in rows
            for label, interval in row.per_class.items() if interval.dropped]


def _sections(inputs: ReportInput) -> list[tuple[str, str, list[Panel]]]:
    """(heading, how to read it, panels) of each section that has something to show."""
    slices: list[Panel] = []
    if inputs.images_folder is not None and inputs.labels_folder is not None:
        slices = slice_panels(inputs.table, inputs.model_folders, inputs.images_folder, inputs.labels_folder,
                              inputs.dataset_json)
    sections = [
        ("Dice per case", "A point is a case, the box holds the middle half of the cases, the line in it is the "
         "median, a diamond is the mean of a fold.", dice_panels(inputs.table)),
        ("Difference per case", "Each point is one case: mean Dice of the trainer minus that of the baseline.",
         difference_panels(inputs.table, inputs.baseline)),
        ("Slices", "The slice with the most labelled voxels.", slices),
        ("Training", "One colour per fold. The pseudo Dice is measured on random patches; the tables above are not.",
         curve_panels(inputs.logs)),
        ("Expert usage", "How the gate shared its input among the experts. Each fold has experts of its own.",
         usage_panels(inputs.logs)),
    ]
    return [section for section in sections if section[2]]


def _versions() -> dict[str, str]:
    packages = ("nnunetv2", "torch", "numpy", "scipy")
    return {"nnunet-skipx": __version__, "Python": platform.python_version(),
            **{package: version(package) for package in packages}}
