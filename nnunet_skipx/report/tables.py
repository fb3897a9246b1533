"""The tables of a report as people read them: text, one line per row, its name in the first column."""

import math
from collections.abc import Callable, Sequence

import pandas as pd

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.other_metrics import calibration_lines, metric_lines
from nnunet_skipx.report.wording import without
from nnunet_skipx.results.row_cost import RowCost
from nnunet_skipx.statistics.contrasts import Contrast, MetricRow, Row
from nnunet_skipx.statistics.means import PairedDifference
from nnunet_skipx.statistics.ranking import Consensus
from nnunet_skipx.statistics.scores import Empties
from nnunet_skipx.statistics.text import NONE, format_interval, format_p, format_signed, number
from nnunet_skipx.statistics.ties import group_letters, place_ranges

COST_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "parameters": ("Parameters", "{:,}".format),
    "gflops": ("GFLOPs", "{:.2f}".format),
    "training_mb": ("MB, training step", "{:,.0f}".format),
    "inference_mb": ("MB, prediction", "{:,.0f}".format),
    "seconds_per_epoch": ("Seconds per epoch", "{:.1f}".format),
    "hours_per_fold": ("Hours per fold", "{:.2f}".format),
    "seconds_per_case": ("Seconds per case", "{:.2f}".format),
}
EMPTY_COLUMNS = {  # structures: a class of a case
    "both": "Absent, left out",
    "one": "Absent, predicted by one",
    "undefined": "Undefined in one, left out",
}


def result_table(comparison: Comparison) -> pd.DataFrame:
    """Dice per class and in the mean, SD over cases, and the difference to the baseline."""
    lines = [
        {
            "Row": row.name,
            **{label: format_interval(interval) for label, interval in row.per_class.items()},
            "Mean": format_interval(row.mean),
            **foreground_cell(row, comparison.rows),
            "SD": number(row.mean.sd, ".3f"),
            **verdict_cells(comparison.contrast_with_baseline(row.name), comparison.baseline),
            **empty_cells(empties_of(comparison.contrast_with_baseline(row.name))),
        }
        for row in comparison.rows
    ]
    return without_zeros(pd.DataFrame(lines))


def foreground_cell(row: Row, rows: Sequence[Row]) -> dict[str, str]:
    """nnU-Net's mean, of cases and then of classes, where it is not the other one in all rows, to the digits shown."""
    told = {other.name: (number(other.foreground_mean, ".3f"), number(other.mean.value, ".3f")) for other in rows}
    differ = any(foreground != mean for foreground, mean in told.values())
    return {"foreground_mean": told[row.name][0]} if differ else {}


def terminal_table(comparison: Comparison) -> pd.DataFrame:
    """The result and its cost, narrow enough for a terminal."""
    return without_zeros(pd.DataFrame([_terminal_line(row, comparison) for row in comparison.rows]))


def _terminal_line(row: Row, comparison: Comparison) -> dict[str, str]:
    cost = comparison.cost(row.name)
    return {
        "row": row.name,
        **{label: number(interval.value, ".3f") for label, interval in row.per_class.items()},
        "mean Dice [95 % CI]": format_interval(row.mean),
        **foreground_cell(row, comparison.rows),
        **verdict_cells(comparison.contrast_with_baseline(row.name), "baseline"),
        **empty_cells(empties_of(comparison.contrast_with_baseline(row.name))),
        "parameters": f"{cost.parameters / 1e6:.2f} M" if cost.parameters is not None else NONE,
        "GFLOPs": f"{cost.gflops:.2f}" if cost.gflops is not None else NONE,
        "s/epoch": f"{cost.seconds_per_epoch:.1f}" if cost.seconds_per_epoch is not None else NONE,
    }


def contrast_table(comparison: Comparison) -> pd.DataFrame:
    """Effect sizes, tests and power of every contrast, and where there are twins what they cost."""
    made = pd.DataFrame([_contrast_line(contrast, comparison) for contrast in comparison.contrasts])
    if any(contrast.kind == "twin" for contrast in comparison.contrasts):
        made["Cost of the twin"] = [_cost_of_twin(contrast, comparison) for contrast in comparison.contrasts]
    return without_zeros(made)


def _contrast_line(contrast: Contrast, comparison: Comparison) -> dict[str, str]:
    found = contrast.difference
    return {
        "Row": contrast.row,
        "Against": contrast.against + _what_twin(contrast, comparison),
        "Verdict": contrast.verdict or NONE,
        "Difference": format_signed(found.interval),
        "t-test (Holm)": contrast.reason or format_p(contrast.p),
        "Two one-sided t-tests (Holm)": contrast.reason or format_p(contrast.outside),
        "Cases better": _cases_better(found),
        "Detectable": number(found.detectable, ".4f"),
        **empty_cells(contrast.empties),
    }


def _cases_better(found: PairedDifference) -> str:
    """85 % (34 / 0 / 6), the last of which are wins, ties and losses."""
    if math.isnan(found.share_better):
        return NONE
    return f"{100 * found.share_better:.0f} % ({found.wins} / {found.ties} / {found.losses})"


def _what_twin(contrast: Contrast, comparison: Comparison) -> str:
    """' (twin without attention)', ' (its twin)' where that is unknown; empty for the baseline."""
    if contrast.kind != "twin":
        return ""
    words = without(comparison.removed(contrast.against))
    return f" (twin{words})" if words else " (its twin)"


def _cost_of_twin(contrast: Contrast, comparison: Comparison) -> str:
    """'1.00 of the parameters, 0.98 of the operations' of its row, as far as both are known."""
    if contrast.kind != "twin":
        return NONE
    row, twin = comparison.cost(contrast.row), comparison.cost(contrast.against)
    pairs = {"parameters": (twin.parameters, row.parameters), "operations": (twin.gflops, row.gflops)}
    ratios = [f"{part / whole:.2f} of the {name}" for name, (part, whole) in pairs.items() if part and whole]
    return ", ".join(ratios) or NONE


def metric_table(comparison: Comparison) -> pd.DataFrame:
    """Metrics other than Dice, without those of probabilities."""
    return _metric_table(metric_lines(comparison), comparison.baseline)


def calibration_table(comparison: Comparison) -> pd.DataFrame:
    """Metrics of probabilities; empty where there were none."""
    return _metric_table(calibration_lines(comparison), comparison.baseline)


def _metric_table(lines: Sequence[MetricRow], baseline: str) -> pd.DataFrame:
    ranked = len({line.row for line in lines}) > 2
    made = [
        {
            "Row": line.row,
            "Metric": line.metric,
            "Better": line.better,
            "Mean": format_interval(line.mean),
            "SD": number(line.mean.sd, ".3f"),
            **({"Mean rank": number(line.mean_rank, ".2f")} if ranked else {}),
            "Left out": str(line.mean.dropped),
            **verdict_cells(line.contrast, baseline),
            **empty_cells(empties_of(line.contrast)),
        }
        for line in lines
    ]
    return without_zeros(pd.DataFrame(made))


def size_table(comparison: Comparison) -> pd.DataFrame:
    """Metrics by size of the structures."""
    unit = comparison.sizes.unit if comparison.sizes is not None else ""
    lines = [
        {
            "Row": line.row,
            "Metric": line.metric,
            "Structures": f"{line.third}: {line.structures} of {line.low:.3g} to {line.high:.3g} {unit}",
            "Mean": format_interval(line.mean),
            "SD": number(line.mean.sd, ".3f"),
            **verdict_cells(line.contrast, comparison.baseline),
        }
        for line in comparison.size_rows
    ]
    return pd.DataFrame(lines)


def ranking_table(comparison: Comparison) -> pd.DataFrame:
    """Which rows are tied, best mean rank first, and the places that the verdicts leave to each."""
    ranked = comparison.ranking.table.loc[comparison.signs.index]
    letters, places = group_letters(comparison.signs), place_ranges(comparison.signs)
    lines = [
        {
            "Row": str(name),
            "Tie group": letters[str(name)] or NONE,
            "Place": " to ".join(map(str, dict.fromkeys(places[str(name)]))),
            "Mean rank": f"{line['mean_rank']:.2f} [{line['low']:.2f}, {line['high']:.2f}]",
            **empty_cells(comparison.empties),
        }
        for name, line in ranked.iterrows()
    ]
    return without_zeros(pd.DataFrame(lines))


def cost_table(comparison: Comparison) -> pd.DataFrame:
    """What is known of the rows' cost; columns that nothing is known of are left out."""
    costs = comparison.costs.values()
    known = [name for name in COST_COLUMNS if any(getattr(cost, name) is not None for cost in costs)]
    return pd.DataFrame([{"Row": row.name, **_cost_cells(comparison.cost(row.name), known)} for row in comparison.rows])


def _cost_cells(cost: RowCost, known: Sequence[str]) -> dict[str, str]:
    return {
        COST_COLUMNS[name][0]: COST_COLUMNS[name][1](value) if (value := getattr(cost, name)) is not None else NONE
        for name in known
    }


def consensus_table(consensus: Consensus) -> pd.DataFrame:
    """Place in each data set and mean place, best first."""
    return pd.DataFrame(
        [
            {
                "Row": str(name),
                "Mean place": f"{mean:.2f}",
                **{str(dataset): f"{place:g}" for dataset, place in consensus.places.loc[name].items()},
            }
            for name, mean in consensus.mean.items()
        ]
    )


def empties_of(contrast: Contrast | None) -> Empties | None:
    """Those of a contrast; None for the baseline."""
    return None if contrast is None else contrast.empties


def empty_cells(empties: Empties | None) -> dict[str, str]:
    """A column for each kind of structure without a value in all rows of a comparison; dashes for the baseline."""
    found = {} if empties is None else {"both": empties.both, "one": empties.one, "undefined": empties.undefined}
    return {column: str(found[kind]) if found else NONE for kind, column in EMPTY_COLUMNS.items()}


def without_zeros(table: pd.DataFrame) -> pd.DataFrame:
    """The table without those of the `EMPTY_COLUMNS` that have nothing to count."""
    idle = [column for column in EMPTY_COLUMNS.values() if column in table and set(table[column]) <= {"0", NONE}]
    return table.drop(columns=idle)


def verdict_cells(contrast: Contrast | None, baseline: str) -> dict[str, str]:
    """The verdict, and the difference with its interval and p; 'baseline' for None."""
    told = NONE if contrast is None or contrast.verdict is None else contrast.verdict
    return {"Verdict": told, f"Difference to {baseline} [95 % CI], p (t-test, Holm)": format_contrast(contrast)}


def format_contrast(contrast: Contrast | None) -> str:
    """+0.012 [+0.004, +0.020], p = 0.003, or what forbids to decide; 'baseline' for None."""
    if contrast is None:
        return "baseline"
    numbers = format_signed(contrast.difference.interval)
    if math.isnan(contrast.difference.interval.low):
        return numbers
    return f"{numbers}, {contrast.reason or format_p(contrast.p)}"
