"""How often the report's comparison of families is wrong, in simulated studies: `python -m benchmarks.family_rates`."""

from pathlib import Path

import numpy as np

from benchmarks.tables import replace_block
from nnunet_skipx.statistics.estimate import ALPHA
from nnunet_skipx.statistics.families import family_contrasts
from nnunet_skipx.statistics.means import ROPE

DOCS = Path(__file__).parents[1] / "docs" / "statistics.md"
STUDIES = 4000
NETWORK_SD = 0.01  # of the networks' mean Dice
GROUPS = ((4, 4), (4, 7), (4, 12), (6, 6))
SCATTERS = (1.0, 3.0, 1 / 3)  # of the networks with the ingredient, against that of the others


def main() -> None:
    """Write the table."""
    told = f"`python -m benchmarks.family_rates`, {STUDIES:,} studies per cell."
    replace_block(DOCS, "family-rates", "\n".join([told, "", *table()]))


def table(studies: int = STUDIES) -> list[str]:
    """False claims in percent, a line per number of networks."""
    head = " | ".join(f"their SD x {scatter:.2g}" for scatter in SCATTERS)
    lines = [f"| networks with and without | {head} |", "|---|" + "---|" * len(SCATTERS)]
    for having, lacking in GROUPS:
        rates = [f"{100 * false_claims(having, lacking, scatter, studies):.1f}" for scatter in SCATTERS]
        lines.append(f"| {having}, {lacking} | {' | '.join(rates)} |")
    return lines


def false_claims(having: int, lacking: int, scatter: float, studies: int, seed: int = 0) -> float:
    """The share of studies with a claim on an ingredient that does nothing."""
    rng = np.random.default_rng(seed)
    names = [str(number) for number in range(having + lacking)]
    members = {name: frozenset({"it"} if place < having else ()) for place, name in enumerate(names)}
    sd = NETWORK_SD * np.where(np.arange(len(names)) < having, scatter, 1.0)
    drawn = rng.normal(0.8, sd, (studies, len(names)))
    claimed = [family_contrasts(members, dict(zip(names, means, strict=True)), {}, ROPE)[0].p for means in drawn]
    return float(np.mean(np.array(claimed) < ALPHA))


if __name__ == "__main__":
    main()
