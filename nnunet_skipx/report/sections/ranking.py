"""Places, and which rows differ."""

from nnunet_skipx.report import tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.ranks import places_panel, significance_panel
from nnunet_skipx.report.sections.section import Section
from nnunet_skipx.statistics.bootstrap import RESAMPLES
from nnunet_skipx.statistics.estimate import FEWEST_CASES


def ranking_section(comparison: Comparison) -> Section:
    """Places and which rows differ."""
    found = comparison.ranking
    if len(comparison.rows) < 3 or found.n < FEWEST_CASES:
        return Section("Ranking", "")
    return Section(
        "Ranking",
        f"Rows are ranked in each of {found.n} cases ({found.dropped} without a value of every row are left out), then "
        f"the ranks are averaged (1 is best). The interval, and the share of {RESAMPLES:,} resamples of the cases "
        "within their folds that give the same place, cover the choice of cases, not the randomness of training. The "
        "matrix holds the verdict of every pair: that of the table above where it has one, else of the same test, "
        "adjusted over all other pairs (Holm); empty is undecided or equivalent.",
        tables.ranking_table(comparison),
        [
            places_panel(found.places.loc[found.table.sort_values("mean_rank").index]),
            significance_panel(comparison.significance.sign),
        ],
    )
