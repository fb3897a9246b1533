"""How the trainings went: folds and replicates, health, curves, experts."""

from nnunet_skipx.report import training_tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.training import balance_panels, curve_panels, usage_panels
from nnunet_skipx.report.sections.section import Section


def fold_section(comparison: Comparison) -> Section:
    """Means of folds and replicates."""
    if comparison.ensemble:
        return Section(
            "Test set and replicates",
            "Mean Dice. Replicates are the same folds trained again, each with an ensemble of its own. SD of trained "
            f"networks: of one {comparison.trained}'s mean Dice, beyond what the cases explain; ICC: its variance as a "
            "share of that of all values; 0 where they differ no more than the cases let expect. Everywhere else a "
            "case counts with its mean over replicates.",
            training_tables.fold_table(comparison),
        )
    return Section(
        "Folds and replicates",
        "Mean Dice. Folds share training cases, which no test here can undo. Replicates are the same cells trained "
        "again. SD of trained networks: of one network's mean Dice on its fold, beyond what its cases explain; ICC: "
        "its variance as a share of that of all values in a fold; 0 where they differ no more than the cases let "
        "expect. Everywhere else a case counts with its mean over replicates.",
        training_tables.fold_table(comparison),
    )


def health_section(comparison: Comparison) -> Section:
    """Whether the trainings went well."""
    return Section(
        "Training health",
        "Over all folds. Skipped steps: those that the gradient scaler of half precision left out; – where the trainer "
        "logs none, as nnU-Net's own.",
        training_tables.health_table(comparison),
    )


def training_section(comparison: Comparison) -> Section:
    """Curves."""
    reading = "One colour per fold. The pseudo Dice is measured on random patches; the tables above are not."
    return Section("Training", reading, panels=curve_panels(comparison.logs))


def expert_section(comparison: Comparison) -> Section:
    """Usage and balance of experts."""
    return Section(
        "Expert usage",
        "How the gates shared their input among the experts. Each fold has experts of its own.",
        panels=[*usage_panels(comparison.logs), *balance_panels(comparison.logs)],
    )
