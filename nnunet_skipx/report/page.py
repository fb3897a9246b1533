"""The cross-validation report: one offline HTML file, and a table for the terminal."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import jinja2
import pandas as pd

from nnunet_skipx import __version__
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.further import sentences_over_datasets
from nnunet_skipx.report.names import names_note, short_names, shortener
from nnunet_skipx.report.sections.methods import methods_over_section
from nnunet_skipx.report.sections.order import sections
from nnunet_skipx.report.sections.pooled import pooled_section
from nnunet_skipx.report.sections.section import Section
from nnunet_skipx.report.tables import consensus_table, result_table, terminal_table
from nnunet_skipx.report.verdicts import Screen, first_screen
from nnunet_skipx.results.tools import taken_by
from nnunet_skipx.statistics.ranking import Consensus, consensus
from nnunet_skipx.statistics.text import NONE
from nnunet_skipx.system.escaping import terminal_lines
from nnunet_skipx.system.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
PACKAGES = ("nnunetv2", "torch", "numpy", "scipy")
LONGEST_ON_A_LINE = 42  # characters of a cell that is not broken


@dataclass(frozen=True)
class Part:
    """One data set of the page, or what holds across them: everything as text and pictures.

    cautions: what a reader must know before anything else. notes: what belongs to the verdicts besides.
    """

    title: str
    protocol: str
    sections: Sequence[Section]
    screen: Screen | None = None
    cautions: Sequence[str] = ()
    notes: Sequence[str] = ()
    names_note: str = ""


def write_report(title: str, parts: Sequence[Part], folder: Path) -> Path:
    """Write `folder/report.html` and return its path."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html.j2").render(
        title=title, parts=parts, versions=versions(), longest=LONGEST_ON_A_LINE
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    write_text(path, html)
    return path


def report_parts(comparisons: Sequence[Comparison]) -> list[Part]:
    """A part per data set, and one across them where there are several."""
    parts = [part_of(comparison) for comparison in comparisons]
    return [across(comparisons), *parts] if len(comparisons) > 1 else parts


def part_of(comparison: Comparison) -> Part:
    """The part of a data set, with the rows' names as short as they can be."""
    return Part(
        title=comparison.dataset,
        protocol=comparison.protocol,
        sections=sections(comparison),
        screen=first_screen(comparison),
        cautions=[comparison.shortened(text) for text in comparison.cautions],
        notes=[
            comparison.shortened(text)
            for text in (*comparison.judged, *comparison.further_sentences, *comparison.notes)
        ],
        names_note=names_note(list(comparison.short_names)),
    )


def remarks(comparison: Comparison) -> list[str]:
    """What a reader must know, what is missing first."""
    return [*comparison.cautions, *comparison.judged, *comparison.further_sentences, *comparison.notes]


def across(comparisons: Sequence[Comparison]) -> Part:
    """The rows' places over all data sets."""
    found = consensus_of(comparisons)
    shorten = shortener(short_names(list(dict.fromkeys(row.name for c in comparisons for row in c.rows))))
    reading = (
        "Place of each row among those that every data set has, by mean rank over cases, and the mean of its places: "
        "the order with the smallest sum of squared distances to the data sets' own (Euclidean consensus). Data sets "
        "count alike, however many cases they have; differences are tested within data sets only."
    )
    lacking = [f"{row} is not ranked: it has no results on {', '.join(names)}." for row, names in found.missing.items()]
    return Part(
        "Across data sets",
        ", ".join(c.dataset for c in comparisons),
        [
            section.shortened(shorten)
            for section in (
                Section("Verdicts", "Of each data set for itself, as its part has them.", verdict_table(comparisons)),
                Section("Consensus", reading, consensus_table(found)),
                pooled_section(comparisons),
                methods_over_section(comparisons),
            )
            if section.is_shown
        ],
        notes=[shorten(text) for text in (*sentences_over_datasets(comparisons), *lacking)],
    )


def verdict_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """The verdict on every row against the baseline, a column per data set."""
    rows = dict.fromkeys(row.name for c in comparisons for row in c.rows)
    return pd.DataFrame(
        [{"Row": row, **{f"{c.dataset}, against {c.baseline}": _verdict(c, row) for c in comparisons}} for row in rows]
    )


def _verdict(comparison: Comparison, row: str) -> str:
    if row == comparison.baseline:
        return "baseline"
    contrast = comparison.contrast_with_baseline(row)
    return (contrast.verdict if contrast else None) or NONE


def consensus_of(comparisons: Sequence[Comparison]) -> Consensus:
    """The consensus of the data sets' rankings."""
    return consensus({c.dataset: c.ranking.table["mean_rank"].to_dict() for c in comparisons})


def terminal_text(comparisons: Sequence[Comparison]) -> str:
    """The result of each data set as plain text, followed by the sentences and remarks."""
    blocks = []
    for c in comparisons:
        blocks += [c.protocol, "", terminal_table(c).to_string(index=False), "", *c.sentences, *remarks(c), ""]
    if len(comparisons) > 1:
        blocks += ["Across data sets", "", consensus_table(consensus_of(comparisons)).to_string(index=False)]
        blocks += ["", *sentences_over_datasets(comparisons)]
    return terminal_lines("\n".join(blocks).rstrip())


def versions() -> dict[str, str]:
    """Of what made the report."""
    return {
        "nnunet-skipx": __version__,
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def result_tables(comparisons: Sequence[Comparison]) -> dict[str, pd.DataFrame]:
    """Caption -> table of the result, for other formats; the caption says how the p were found, and by what tools."""
    tools = f"{taken_by(['Dice'])}, table: nnunet-skipx {__version__}"
    told = [(c.protocol, c.incomplete, c.test_run, *c.caveats, tools) for c in comparisons]
    captions = [" ".join(text if text.endswith(".") else f"{text}." for text in texts if text) for texts in told]
    return {caption: result_table(c) for caption, c in zip(captions, comparisons, strict=True)}
