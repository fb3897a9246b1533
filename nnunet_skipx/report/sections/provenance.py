"""Where the numbers come from."""

import pandas as pd

from nnunet_skipx.report import training_tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.sections.section import Section


def provenance_section(comparison: Comparison) -> Section:
    """Settings and versions per row."""
    return Section(
        "Provenance",
        "As nnU-Net noted it in debug.json of the first fold. nnU-Net seeds neither weights nor batches, so its "
        "trainings cannot be repeated exactly. Plans: beginning of the SHA-256 of plans.json.",
        training_tables.provenance_table(comparison),
        whole_names=True,
    )


def settings_section(comparison: Comparison) -> Section:
    """What holds for all rows."""
    commands = {f"command of {row}": facts["command"] for row, facts in comparison.provenance.items()}
    lines = [{"Setting": name, "Value": value} for name, value in (comparison.settings | commands).items()]
    return Section("Settings and commands", "", pd.DataFrame(lines), whole_names=True)
