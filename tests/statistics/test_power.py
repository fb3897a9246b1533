"""The planner promises what the report's verdicts keep."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.verdict_rates import paired_studies
from nnunet_skipx.statistics.adjustment import holm
from nnunet_skipx.statistics.power import Design, Scatter, detectable, drawn, margin_power, power
from nnunet_skipx.statistics.scatter import scatter_of
from nnunet_skipx.statistics.scores import row_scores
from nnunet_skipx.statistics.verdict import verdict
from tests.statistics.test_scores import table_of

SCATTER = Scatter(0.015, 0.002)


@pytest.mark.parametrize("design", [Design(40, 5, 1), Design(40, 5, 3), Design(260, 5, 1), Design(260, 5, 2)])
def test_four_studies_of_five_call_the_promised_difference_better(design: Design) -> None:
    promised = detectable(drawn(design, SCATTER), comparisons=3)
    studies = paired_studies(design.cases, design.replicates, SCATTER.seed_sd, promised, 4000)
    others = np.random.default_rng(0).uniform(0, 1, (2, 4000))  # of two comparisons in which nothing is
    adjusted = np.array([holm(column) for column in np.vstack([studies.p(), others]).T])[:, 0]
    found = [verdict(gain, p, np.nan) == "better" for gain, p in zip(studies.value, adjusted, strict=True)]
    assert 0.78 <= np.mean(found) <= 0.84, "at least 80 %; Holm's first step is the hardest"


def test_more_cases_folds_and_replicates_show_smaller_differences() -> None:
    def shown(*design: int, scatter: Scatter = SCATTER) -> float:
        return detectable(drawn(Design(*design), scatter, studies=1500))

    assert shown(40, 5, 1) > shown(40, 5, 2) > shown(40, 5, 3) > shown(260, 5, 3)
    assert shown(100, 3, 3) > shown(100, 5, 3)
    assert shown(100, 5, 3) > shown(100, 5, 3, scatter=Scatter(0.015, 0.0))


def test_one_trained_network_per_row_shows_nothing() -> None:
    assert np.isnan(detectable(drawn(Design(260, 1, 1), SCATTER)))
    assert detectable(drawn(Design(260, 1, 2), SCATTER)) > 0


def test_many_cases_are_drawn_as_fewer_that_scatter_less() -> None:
    many, double = (detectable(drawn(Design(cases, 5, 3), Scatter(0.015, 0.0), 1500)) for cases in (1600, 400))
    assert many == pytest.approx(double / 2, rel=0.04)


def test_difference_and_margin_are_two_sides_of_one_interval() -> None:
    found = drawn(Design(100, 5, 3), SCATTER)
    promised = detectable(found, comparisons=2)
    assert power(found, promised, 2) == pytest.approx(0.8, abs=0.005)
    assert margin_power(found, promised, 2) == pytest.approx(0.8, abs=0.02)
    assert margin_power(found, 0.0) <= 0.035, "equal rows are not shown to be within no margin"


def test_the_scatter_of_a_study_is_found_again() -> None:
    rng, cases, folds = np.random.default_rng(1), 400, 40
    own, rest, seed_sd = 0.02, 0.01, 0.005
    numbers = np.arange(cases) % folds
    rows = {name: np.zeros((3, cases)) for name in "AB"}
    common = rng.normal(0.8, 0.02, cases)
    for values in rows.values():
        architecture = rng.normal(0, own / np.sqrt(2), cases)
        for replicate in range(3):
            trained = rng.normal(0, seed_sd, folds)[numbers]
            values[replicate] = common + architecture + trained + rng.normal(0, rest / np.sqrt(2), cases)
    tables = [
        table_of({name: values[replicate] for name, values in rows.items()}, folds=folds).assign(replicate=replicate)
        for replicate in range(3)
    ]
    found = scatter_of(row_scores(pd.concat(tables)), Scatter(9, 9, 9))
    assert found.paired_sd == pytest.approx(np.hypot(own, rest), rel=0.1)
    assert found.of_training == pytest.approx(rest**2 / (own**2 + rest**2), abs=0.06)
    assert found.seed_sd == pytest.approx(seed_sd, rel=0.15)
    once = scatter_of(row_scores(tables[0]), SCATTER)
    assert once.paired_sd == pytest.approx(found.paired_sd, rel=0.1)
    assert (once.seed_sd, once.of_training) == (SCATTER.seed_sd, SCATTER.of_training), (
        "one training tells nothing of it"
    )


def test_one_row_has_no_paired_sd() -> None:
    with pytest.raises(ValueError, match="name a second trainer"):
        scatter_of(row_scores(table_of({"A": np.linspace(0.7, 0.9, 10)})), SCATTER)
