"""The tables of a report on the trainings behind its rows: folds, replicates, health, settings."""

from collections.abc import Mapping

import pandas as pd

from nnunet_skipx.nnunet.evaluated import Evaluated, told
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.results.training_log import TrainingLog
from nnunet_skipx.statistics.text import NONE, number


def fold_table(comparison: Comparison) -> pd.DataFrame:
    """Mean Dice per fold, and per replicate where there are several."""
    folds = list(dict.fromkeys(fold for row in comparison.rows for fold in row.fold_means))
    several = max(len(row.replicate_means) for row in comparison.rows) > 1
    lines = []
    for row in comparison.rows:
        line = {"Row": row.name, **{_headed(fold): number(row.fold_means[fold], ".3f") for fold in folds}}
        if several:
            means = pd.Series(row.replicate_means)
            line["Replicates"] = ", ".join(f"{mean:.3f}" for mean in means)
            line["SD of replicates"] = number(means.std(ddof=1), ".4f")
            line["SD of trained networks"] = noise_text(row.training_sd, ".4f")
            line["ICC"] = noise_text(row.icc, ".2f")
        lines.append(line)
    return pd.DataFrame(lines)


def noise_text(value: float, form: str) -> str:
    """An estimate of what trainings add; a plain 0 where there is none, as digits would claim to know it.

    >>> noise_text(0.0, ".4f"), noise_text(0.0012, ".4f")
    ('0', '0.0012')
    """
    return "0" if value == 0 else number(value, form)


def _headed(fold: Evaluated) -> str:
    words = told(fold).removeprefix("the ")
    return words[0].upper() + words[1:]


def health_table(comparison: Comparison) -> pd.DataFrame:
    """Whether the trainings went well."""
    return pd.DataFrame([{"Row": row, **_health(folds)} for row, folds in comparison.logs.items()])


def _health(folds: Mapping[int, TrainingLog]) -> dict[str, str]:
    epochs = pd.concat([log.epochs for log in folds.values()])
    skipped = epochs["skipped_steps"]
    lengths = sorted({len(log.epochs) for log in folds.values()})
    return {
        "Folds": str(len(folds)),
        "Epochs": " to ".join(map(str, dict.fromkeys([lengths[0], lengths[-1]]))),
        "Epochs with a loss of NaN": str(int(epochs[["train_loss", "val_loss"]].isna().any(axis=1).sum())),
        "Skipped steps": NONE if skipped.isna().all() else f"{skipped.sum():.0f}",
        "Balance loss at the end": _last(folds, "balance_loss"),
    }


def _last(folds: Mapping[int, TrainingLog], column: str) -> str:
    ends = [log.epochs[column].iloc[-1] for log in folds.values() if len(log.epochs)]
    return number(pd.Series(ends, dtype=float).mean(), ".3f")


def provenance_table(comparison: Comparison) -> pd.DataFrame:
    """Settings, machine and versions of each row; commands, which are long, stand elsewhere."""
    columns = dict.fromkeys(name for facts in comparison.provenance.values() for name in facts if name != "command")
    return pd.DataFrame(
        [
            {"Row": row, **{name.capitalize(): facts.get(name, NONE) for name in columns}}
            for row, facts in comparison.provenance.items()
        ]
    )
