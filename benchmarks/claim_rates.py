"""How often what stands beside the verdicts is wrong, in simulated studies of two rows that are equal.

`python -m benchmarks.claim_rates` writes two tables into docs/statistics.md; two minutes on one core.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import t

from benchmarks.tables import replace_block
from benchmarks.verdict_rates import CASES, DOCS, FOLDS, PAIRED_SD, SEED_SDS, STUDIES, paired_studies
from nnunet_skipx.statistics.covariates import dependence
from nnunet_skipx.statistics.estimate import ALPHA, Estimates
from nnunet_skipx.statistics.means import ROPE
from nnunet_skipx.statistics.noninferiority import ONE_SIDED
from nnunet_skipx.statistics.pooled import random_effects
from nnunet_skipx.statistics.ranking import rank_models
from nnunet_skipx.statistics.signed_rank import signed_rank
from nnunet_skipx.statistics.tails import paired_failures

MARGIN = 0.01  # of non-inferiority
FEWER_STUDIES = 500
DATASETS = (2, 3, 5, 10)
BETWEEN_SDS = (0.0, 0.002, 0.005, 0.01)  # of data sets' true differences
Rate = Callable[[int, float, int], float]  # cases, seed SD, studies -> share


def false_noninferiority(cases: int, replicates: int, seed_sd: float, studies: int = STUDIES) -> float:
    """Share of the studies of a row that is worse by just the margin that call it not worse by more."""
    found = paired_studies(cases, replicates, seed_sd, -MARGIN, studies)
    return float((found.p_below(-MARGIN) < ONE_SIDED).mean())


def small_probabilities(cases: int, replicates: int, seed_sd: float, studies: int = STUDIES) -> float:
    """Share of the studies of two equal architectures whose probability of a false claim is below 0.05."""
    return float((paired_studies(cases, replicates, seed_sd, 0.0, studies).p() / 2 < ALPHA).mean())


def lucky(cases: int, seed_sd: float, studies: int) -> tuple[np.ndarray, list[int]]:
    """Differences `(study, case)` of equal architectures with one training per fold, and the folds."""
    rng, folds = np.random.default_rng(cases), np.arange(cases) % FOLDS
    luck = rng.normal(0, seed_sd * np.sqrt(2), (studies, FOLDS))[:, folds]
    return luck + rng.normal(0, PAIRED_SD, (studies, cases)), folds.tolist()


def certain_signed_ranks(cases: int, seed_sd: float, studies: int = FEWER_STUDIES) -> float:
    """Share of the studies where the signed-rank posterior of one of two equal rows is above 0.95."""
    found = [signed_rank(difference, ROPE) for difference in lucky(cases, seed_sd, studies)[0]]
    return float(np.mean([max(one.better, one.worse) > 1 - ALPHA for one in found]))


def false_dependences(cases: int, seed_sd: float, studies: int = FEWER_STUDIES) -> float:
    """Share of the studies where the difference is said to depend on an age that has nothing to do with it."""
    differences, folds = lucky(cases, seed_sd, studies)
    ages = np.random.default_rng(1).normal(60, 10, (studies, cases)) + 5 * np.array(folds)  # older in later folds
    made = [dependence(d, pd.Series(age), folds).p for d, age in zip(differences, ages, strict=True)]
    return float(np.mean(np.array(made) < ALPHA))


def false_failures(cases: int, seed_sd: float, studies: int = FEWER_STUDIES) -> float:
    """Share of the studies where McNemar's test tells equal architectures apart; a tenth of their cases fail."""
    rng, folds = np.random.default_rng(cases), np.arange(cases) % FOLDS
    level = 0.5 + 1.28 * 0.1 + rng.normal(0, 0.1, (studies, 1, cases))
    luck = rng.normal(0, seed_sd, (studies, 2, FOLDS))[..., folds]
    dice = level + luck + rng.normal(0, PAIRED_SD, (studies, 2, cases))
    return float(np.mean([paired_failures(*rows).p < ALPHA for rows in dice]))


def missed_ranks(cases: int, seed_sd: float, studies: int = FEWER_STUDIES) -> float:
    """Share of the intervals of three equal rows' mean ranks that do not hold 2."""
    rng, folds = np.random.default_rng(cases), np.arange(cases) % FOLDS
    index = pd.MultiIndex.from_arrays([folds, np.arange(cases)], names=["fold", "case"])
    luck = rng.normal(0, seed_sd, (studies, FOLDS, 3))[:, folds]
    dice = luck + rng.normal(0, PAIRED_SD / np.sqrt(2), (studies, cases, 3))
    tables = [rank_models(pd.DataFrame(values, index)).table for values in dice]
    return float(np.mean([((table["low"] > 2) | (table["high"] < 2)).mean() for table in tables]))


def false_claims_over_datasets(datasets: int, between: float, studies: int = FEWER_STUDIES) -> float:
    """Share of the studies that call one of two rows better; they are equal but in data sets, by `between` (SD)."""
    rng, found = np.random.default_rng(datasets), 0
    for _ in range(studies):
        sizes, true = rng.choice([20, 40, 100], datasets), rng.normal(0, between, datasets)
        made = [paired_studies(int(n), 1, 0.001, 0.0, 1, int(rng.integers(1, 2**31))) for n in sizes]
        errors = [one.error[_widest(one), 0] for one in made]
        mean, error, _ = random_effects([one.value[0] + by for one, by in zip(made, true, strict=True)], errors)
        found += 2 * t.sf(abs(mean) / error, datasets - 1) < ALPHA
    return found / studies


def _widest(one: Estimates) -> int:
    return int(np.argmax(t.ppf(0.975, one.freedom[:, 0]) * one.error[:, 0]))


def main() -> None:
    """Write both tables."""
    replace_block(DOCS, "claim-rates", "\n".join(claim_table()))
    replace_block(DOCS, "pooled-rates", "\n".join(pooled_table()))


def claim_table(studies: int = STUDIES, fewer: int = FEWER_STUDIES) -> list[str]:
    """Percent of studies, a line per claim and number of cases."""
    told: dict[str, tuple[Rate, int]] = {
        "not worse by the margin, 1 replicate": (lambda n, sd, k: false_noninferiority(n, 1, sd, k), studies),
        "not worse by the margin, 3 replicates": (lambda n, sd, k: false_noninferiority(n, 3, sd, k), studies),
        "probability of a false claim < 0.05, 3 replicates": (
            lambda n, sd, k: small_probabilities(n, 3, sd, k),
            studies,
        ),
        "depends on a covariate, 1 replicate": (false_dependences, studies // 2),
        "fails in more cases, 1 replicate": (false_failures, studies // 2),
        "mean rank outside of its interval, 1 replicate": (missed_ranks, fewer),
        "signed rank > 0.95, 1 replicate": (certain_signed_ranks, fewer),
    }
    lines = [
        f"`python -m benchmarks.claim_rates`, {FOLDS} folds.",
        "",
        f"| claim | cases | studies | {' | '.join(f'seed SD {sd:g}' for sd in SEED_SDS)} |",
        "|---|---|---|" + "---|" * len(SEED_SDS),
    ]
    for name, (rate, count) in told.items():
        for cases in (CASES[0], CASES[-1]):
            cells = [f"{100 * rate(cases, sd, count):.1f}" for sd in SEED_SDS]
            lines.append(f"| {name} | {cases} | {count:,} | {' | '.join(cells)} |")
    return lines


def pooled_table(studies: int = FEWER_STUDIES) -> list[str]:
    """Percent of studies that call one of two equal rows better over data sets."""
    lines = [
        f"{studies} studies per cell (`python -m benchmarks.claim_rates`); data sets of 20, 40 or 100 cases.",
        "",
        f"| data sets | {' | '.join(f'SD between them {sd:g}' for sd in BETWEEN_SDS)} |",
        "|---|" + "---|" * len(BETWEEN_SDS),
    ]
    for datasets in DATASETS:
        cells = [f"{100 * false_claims_over_datasets(datasets, sd, studies):.1f}" for sd in BETWEEN_SDS]
        lines.append(f"| {datasets} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
