"""How often the report's verdicts and intervals are wrong, in simulated studies.

`python -m benchmarks.verdict_rates` writes three tables into docs/statistics.md; a minute on one core.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import t

from benchmarks.tables import replace_block
from nnunet_skipx.statistics.estimate import ALPHA, Estimates, estimates
from nnunet_skipx.statistics.means import ROPE

DOCS = Path(__file__).parents[1] / "docs" / "statistics.md"
FOLDS = 5
TEST_SET = 1  # where one ensemble predicts every case, as if it were the only fold
STUDIES = 4000
PAIRED_SD = 0.015  # of the difference of two rows in a case
CASES = (40, 100, 260)
REPLICATES = (1, 2, 3, 5)
SEED_SDS = (0.0, 0.001, 0.002, 0.004)  # of a trained network's mean
TRAINED_SD = 0.03  # the same where training is unstable, as a third of the cases' SD
SIZES = (10, 20, 40, 100, 260)
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def beta_with_failures(share: float) -> Draw:
    """Dice of a good network that misses the structure in a share of the cases."""
    return lambda rng, shape: np.where(rng.random(shape) < share, 0.0, rng.beta(30, 3, shape))


def in_a_share(share: float) -> Draw:
    """Dice of a structure that only a share of the cases has."""
    return lambda rng, shape: np.where(rng.random(shape) < share, rng.beta(9, 1.5, shape), np.nan)


# Metric and shape -> how a case is drawn, and its expectation.
SHAPES: dict[str, tuple[Draw, float]] = {
    "Dice, skewed": (lambda rng, shape: rng.beta(9, 1.5, shape), 9 / 10.5),
    "Dice, 5 % missed": (beta_with_failures(0.05), 0.95 * 30 / 33),
    "Dice, 10 % missed": (beta_with_failures(0.1), 0.9 * 30 / 33),
    "Dice, in 30 % of cases": (in_a_share(0.3), 9 / 10.5),
    "HD95, log-normal": (lambda rng, shape: rng.lognormal(1, 0.8, shape), float(np.exp(1.32))),
    "difference, normal": (lambda rng, shape: rng.normal(0, PAIRED_SD, shape), 0.0),
    "difference, skewed": (lambda rng, shape: PAIRED_SD * (rng.exponential(1, shape) - 1), 0.0),
    "difference, 5 % failures of either": (
        lambda rng, shape: (
            rng.normal(0, 0.01, shape)
            + np.where(rng.random(shape) < 0.05, 0.3, 0)
            - np.where(rng.random(shape) < 0.05, 0.3, 0)
        ),
        0.0,
    ),
}


def paired_studies(
    cases: int,
    replicates: int,
    seed_sd: float,
    difference: float,
    studies: int,
    seed: int = 0,
    folds: int = FOLDS,
) -> Estimates:
    """Two rows whose architectures differ by so much: half of a case's variance is the rows', half the trainings'."""
    rng = np.random.default_rng([cases, replicates, round(1e6 * seed_sd), *([seed] if seed else [])])
    fold = np.arange(cases) % folds
    own, rest = rng.normal(difference, PAIRED_SD / np.sqrt(2), (cases, studies)), PAIRED_SD / 2
    rows = [
        rng.normal(0, seed_sd, (replicates, folds, studies))[:, fold]
        + rng.normal(0, rest, (replicates, cases, studies))
        for _ in range(2)
    ]
    return estimates([rows[0] + own, rows[1]], fold.tolist())


def false_claims(cases: int, replicates: int, seed_sd: float, studies: int = STUDIES, folds: int = FOLDS) -> float:
    """Share of the studies of two equal architectures that call one better."""
    return float((paired_studies(cases, replicates, seed_sd, 0.0, studies, folds=folds).p() < ALPHA).mean())


def false_claims_of_cases_alone(cases: int, seed_sd: float, studies: int = STUDIES) -> float:
    """The same by a t-test that takes the cases for the whole sample, as if they shared no network."""
    found = paired_studies(cases, 1, seed_sd, 0.0, studies)
    p = 2 * t.sf(np.abs(found.value) / found.error[0], found.freedom[0])
    return float((p < ALPHA).mean())


def false_equivalences(
    cases: int, replicates: int, seed_sd: float, studies: int = STUDIES, folds: int = FOLDS
) -> float:
    """Share of the studies of two architectures that differ by just the ROPE that call them equivalent."""
    found = paired_studies(cases, replicates, seed_sd, ROPE, studies, folds=folds)
    return float((found.p_outside(ROPE) < ALPHA).mean())


def coverage(
    shape: str, cases: int, replicates: int = 1, seed_sd: float = 0.0, studies: int = STUDIES
) -> tuple[float, float]:
    """Share of the intervals that hold the expectation, and share of the studies that have an interval.

    seed_sd: of a trained network's mean; a training adds as much to each of its cases.
    """
    (draw, truth), rng, folds = SHAPES[shape], np.random.default_rng(cases), np.arange(cases) % FOLDS
    cases_alone = draw(rng, (cases, studies))
    trained = rng.normal(0, seed_sd, (replicates, FOLDS, studies))[:, folds]
    noise = rng.normal(0, seed_sd, (replicates, cases, studies))
    found = estimates([cases_alone + trained + noise], folds.tolist())
    half = found.half_width()
    there = ~np.isnan(half)
    return float((np.abs(found.value - truth) <= half)[there].mean()), float(there.mean())


def main() -> None:
    """Write the tables."""
    how = f"{STUDIES:,} studies per cell (`python -m benchmarks.verdict_rates`)"
    told = f"{how}, {FOLDS} folds."
    replace_block(DOCS, "error-rates", "\n".join([told, "", *error_table()]))
    replace_block(DOCS, "error-rates-test", "\n".join([f"{how}.", "", *error_table(folds=TEST_SET)]))
    replace_block(DOCS, "coverage", "\n".join([told, "", *coverage_table()]))


def error_table(studies: int = STUDIES, folds: int = FOLDS) -> list[str]:
    """False claims and false equivalences in percent, a line per number of cases and replicates.

    On a test set, without replicates nothing is claimed, and there is no line.
    """
    lines = [
        f"| cases | replicates | {' | '.join(f'seed SD {sd:g}' for sd in SEED_SDS)} |",
        "|---|---|" + "---|" * len(SEED_SDS),
    ]
    for cases in CASES:
        for replicates in REPLICATES[folds == TEST_SET :]:
            made = [(cases, replicates, sd, studies, folds) for sd in SEED_SDS]
            cells = [f"{100 * false_claims(*study):.1f} / {100 * false_equivalences(*study):.1f}" for study in made]
            lines.append(f"| {cases} | {replicates} | {' | '.join(cells)} |")
        if folds != TEST_SET:
            alone = [f"{100 * false_claims_of_cases_alone(cases, sd, studies):.1f}" for sd in SEED_SDS]
            lines.append(f"| {cases} | 1, cases alone | {' | '.join(alone)} |")
    return lines


def coverage_table() -> list[str]:
    """Coverage in percent, a line per shape."""
    lines = [f"| shape | {' | '.join(f'n = {cases}' for cases in SIZES)} |", "|---|" + "---|" * len(SIZES)]
    for shape in SHAPES:
        cells = [_cell(*coverage(shape, cases)) for cases in SIZES]
        lines.append(f"| {shape} | {' | '.join(cells)} |")
    for replicates in REPLICATES:
        cells = [_cell(*coverage("Dice, skewed", cases, replicates, TRAINED_SD)) for cases in SIZES]
        plural = "s" if replicates > 1 else ""
        lines.append(f"| Dice, skewed, seed SD {TRAINED_SD}, {replicates} replicate{plural} | {' | '.join(cells)} |")
    return lines


def _cell(covered: float, there: float) -> str:
    return f"{100 * covered:.0f}" + (f" (of {100 * there:.0f} %)" if there < 1 else "")


if __name__ == "__main__":
    main()
