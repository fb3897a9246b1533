"""What a section is."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from nnunet_skipx.report.figures.panel import Panel


@dataclass(frozen=True)
class Section:
    """One part of the page; a section without lines in its table and without pictures is not shown."""

    heading: str
    reading: str
    table: pd.DataFrame | None = None
    panels: Sequence[Panel] = ()

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to see."""
        return bool(self.panels) or (self.table is not None and not self.table.empty)
