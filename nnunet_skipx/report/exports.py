"""The report's numbers for other programs: tidy tables, the challengeR format, JSON, Markdown and LaTeX."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.further import further_json, further_tables, sentences_over_datasets
from nnunet_skipx.report.methods import methods, methods_over
from nnunet_skipx.report.page import consensus_of, remarks, result_tables
from nnunet_skipx.report.pooling import pooled_over
from nnunet_skipx.statistics.metric import metric_of
from nnunet_skipx.statistics.ties import tie_groups
from nnunet_skipx.system import escaping
from nnunet_skipx.system.files import finite, write_bytes, write_text

NOT_IN_ALL = ("challenger.csv", "challenger_small_better.csv")  # files of `challenger_files`


def write_exports(comparisons: Sequence[Comparison], folder: Path) -> list[Path]:
    """Write all formats into `folder` and return their paths."""
    table = pd.concat([comparison.table for comparison in comparisons], ignore_index=True)
    tables = {**result_tables(comparisons), **further_tables(comparisons)}
    words = [text for c in comparisons for text in (*remarks(c), *c.sentences)]
    words += sentences_over_datasets(comparisons)
    contents = {
        "cases.csv": comma_separated(table),
        **challenger_files(table),
        "report.json": json.dumps(finite(report_json(comparisons)), indent=2, allow_nan=False),
        "report.md": "\n\n".join([*map(captioned, tables.items()), bullets(words), *methods_texts(comparisons), ""]),
        "report.tex": "\n".join(latex(caption, shown) for caption, shown in tables.items()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        write_text(folder / name, text)
    write_bytes(folder / "cases.parquet", table.to_parquet(index=False))
    return [folder / name for name in (*contents, "cases.parquet")]


def challenger_files(table: pd.DataFrame) -> dict[str, str]:
    """File -> content: challengeR's `smallBetter` is one for all tasks of a file. What has no best value is in none."""
    signs = table["metric"].map({metric: metric_of(metric).sign for metric in table["metric"].unique()})
    files = {"challenger.csv": table[signs > 0], "challenger_small_better.csv": table[signs < 0]}
    return {name: comma_separated(challenger(part)) for name, part in files.items() if len(part)}


def captioned(table: tuple[str, pd.DataFrame]) -> str:
    """A caption and its table in Markdown."""
    caption, shown = table
    return f"{escaping.markdown(caption)}\n\n{markdown(shown)}"


def bullets(texts: Sequence[str]) -> str:
    """A list in Markdown."""
    return "\n".join(f"- {escaping.markdown(text)}" for text in texts)


def methods_texts(comparisons: Sequence[Comparison]) -> list[str]:
    """The paragraphs for a paper in Markdown, under a heading per data set, and one for the model over them."""
    parts = [(f"Methods, {comparison.dataset}", methods(comparison)) for comparison in comparisons]
    if len(comparisons) > 1:
        parts.append(("Methods over data sets", methods_over(comparisons)))
    return ["## " + "\n\n".join(map(escaping.markdown, (head, *told))) for head, told in parts if told]


def challenger(table: pd.DataFrame) -> pd.DataFrame:
    """task, case, algorithm, value as challengeR reads them: a task per data set, class and metric.

    Replicates, which it does not know, are averaged.
    """
    task = table["dataset"] + " " + table["label"] + " " + table["metric"]
    tidy = pd.DataFrame({"task": task, "case": table["case"], "algorithm": table["row"], "value": table["value"]})
    return tidy.groupby(["task", "case", "algorithm"], sort=False, as_index=False)["value"].mean()


def report_json(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Every number of the report."""
    content: dict[str, Any] = {"comparisons": [comparison_json(comparison) for comparison in comparisons]}
    if len(comparisons) > 1:
        found = consensus_of(comparisons)
        content["over_datasets"] = as_json(pooled_over(comparisons))
        content["methods_over_datasets"] = methods_over(comparisons)
        content["consensus"] = {"mean_place": found.mean.to_dict(), "missing": found.missing}
    return content


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The numbers of one data set."""
    ranking = comparison.ranking.table
    return {
        "dataset": comparison.dataset,
        "protocol": comparison.protocol,
        "ensemble": list(comparison.ensemble),
        "baseline": comparison.baseline,
        "rope": comparison.rope,
        "incomplete": comparison.incomplete,
        "test_run": comparison.test_run,
        "convention": comparison.convention,
        "rows": as_json(comparison.rows),
        "contrasts": [
            line | {"share_better": contrast.difference.share_better}
            for line, contrast in zip(as_json(comparison.contrasts), comparison.contrasts, strict=True)
        ],
        "other_metrics": as_json(comparison.metric_rows),
        "by_size": as_json(comparison.size_rows),
        "ranking": {str(name): line.to_dict() for name, line in ranking.iterrows()},
        "costs": {row: dataclasses.asdict(cost) for row, cost in comparison.costs.items()},
        "provenance": {row: dict(facts) for row, facts in comparison.provenance.items()},
        **further_json(comparison),
        "caveats": comparison.caveats,
        "sentences": list(comparison.sentences),
        "tie_groups": tie_groups(comparison.signs),
        "methods": methods(comparison),
        "notes": list(comparison.notes),
        "settings": dict(comparison.settings),
    }


def as_json(records: Sequence[Any]) -> list[dict[str, Any]]:
    """Dataclasses as dictionaries."""
    return [dataclasses.asdict(record) for record in records]


def markdown(shown: pd.DataFrame) -> str:
    """A table of text in Markdown."""
    head, *lines = [[escaping.markdown(cell) for cell in line] for line in (shown.columns, *shown.to_numpy())]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))


def latex(caption: str, shown: pd.DataFrame) -> str:
    """A table of text in LaTeX, for \\usepackage{booktabs}."""
    escaped = shown.map(escaping.latex).rename(columns=escaping.latex)
    return str(escaped.to_latex(index=False, escape=False, caption=escaping.latex(caption)))


def comma_separated(table: pd.DataFrame) -> str:
    """A tidy table as CSV, in which no name is a formula."""
    names = {column: table[column].map(escaping.csv) for column in table.select_dtypes(["object", "string"])}
    return str(table.assign(**names).to_csv(index=False))
