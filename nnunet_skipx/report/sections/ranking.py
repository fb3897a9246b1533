"""Places, and which rows differ."""

from nnunet_skipx.report import tables
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.figures.ranks import places_panel, significance_panel
from nnunet_skipx.report.sections.section import Section
from nnunet_skipx.statistics.estimate import FEWEST_CASES

ONE = ", for these networks only, as the noise of training is not in it"


def ranking_section(comparison: Comparison) -> Section:
    """Places and which rows differ."""
    found = comparison.ranking
    if len(comparison.rows) < 3 or found.n < FEWEST_CASES:
        return Section("Ranking", "")
    short = comparison.short
    return Section(
        "Ranking",
        "Rows that share a letter of the tie group are not told apart by the verdict of their pair; rows without a "
        "common letter are. Place: behind all rows that are better and before all that are worse. The matrix holds the "
        "verdict of every pair: that of the table above where it has one, else of the same test, adjusted over all "
        f"other pairs (Holm); empty is undecided or equivalent. Mean rank: the rows are ranked in each of {found.n} "
        f"cases ({found.dropped} without a value of every row are left out), then the ranks are averaged (1 is best); "
        "with replicates, networks of one replicate are ranked with each other. Its interval is that of a mean over "
        "cases and trained networks, as for Dice; the share of draws from these intervals in which a row takes a place "
        f"says how firm it is{ONE if found.training == 'unknown' else ''}.",
        tables.ranking_table(comparison),
        [
            places_panel(found.places.loc[comparison.signs.index].rename(index=short)),
            significance_panel(comparison.signs.rename(index=short, columns=short)),
        ],
    )
