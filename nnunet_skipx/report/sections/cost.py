"""What the rows cost."""

from dataclasses import replace

from nnunet_skipx.report import tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.cost import cost_panels
from nnunet_skipx.report.sections.section import Section


def cost_section(comparison: Comparison) -> Section:
    """What the rows cost."""
    rows = [replace(row, name=comparison.short(row.name)) for row in comparison.rows]
    costs = {comparison.short(name): cost for name, cost in comparison.costs.items()}
    return Section(
        "Cost",
        "GFLOPs: one forward pass of one patch of the plan; a multiply-add counts two; convolutions, matrix products "
        "and attention only. Seconds per epoch: median over epochs and folds; hours per fold: all its epochs; seconds "
        "per case: predicting the validation cases; all on the machines that trained, from nnU-Net's logs. Memory: "
        "peak of a step on the machine of skipx profile, where its JSON was given with --profile.",
        tables.cost_table(comparison) if comparison.costs else None,
        cost_panels(rows, costs),
    )
