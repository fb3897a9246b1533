"""What a section is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import pandas as pd

from nnunet_skipx.report.figures.panel import Panel


@dataclass(frozen=True)
class Section:
    """One part of the page; one without lines in its table, pictures and paragraphs is not shown.

    reading: how the table and the pictures were made and are read, folded away beneath them. lead: what must be seen
    beside the heading. whole_names: names of rows are not shortened here.
    """

    heading: str
    reading: str
    table: pd.DataFrame | None = None
    panels: Sequence[Panel] = ()
    lead: str = ""
    paragraphs: Sequence[str] = ()
    whole_names: bool = False

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to see."""
        return bool(self.panels or self.paragraphs) or (self.table is not None and not self.table.empty)

    @property
    def groups(self) -> list[tuple[str, list[Panel]]]:
        """The pictures that stand together, each with what they have in common."""
        return [(name, list(panels)) for name, panels in groupby(self.panels, lambda panel: panel.group)]

    def shortened(self, shorten: Callable[[str], str]) -> "Section":
        """The same with the rows' names as the page has them."""
        if self.whole_names:
            return self
        table = None if self.table is None else self.table.rename(columns=shorten).map(shorten)
        return replace(
            self,
            reading=shorten(self.reading),
            lead=shorten(self.lead),
            table=table,
            panels=[panel.renamed(shorten) for panel in self.panels],
        )
