"""summary: numbers per trainer, and sentences that say no more than the interval."""
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.benchmark.collect import collect
from nnunet_skipx.benchmark.cost import Cost
from nnunet_skipx.benchmark.paired import holm
from nnunet_skipx.benchmark.statistics import Interval, PairedDifference
from nnunet_skipx.benchmark.summary import Row, sentence, summary_rows
from nnunet_skipx.benchmark.training_log import read_training_log
from tests.benchmark.conftest import FOLDS, TRAINERS, Study

FINITE = st.floats(-1, 1)


def row(low: float, high: float, p: float = 0.001, n: int = 40, equivalence: float = 1.0) -> Row:
    interval = Interval((low + high) / 2, low, high, n, 0)
    difference = PairedDifference(interval, p, p, 0.5, n, 0, 0, equivalence, detectable=0.0123)
    return Row("New", {}, Interval(0.8, 0.7, 0.9, n, 0), {}, difference, p, None, None)


@given(FINITE, FINITE, st.floats(0, 1))
def test_a_difference_is_claimed_only_when_the_interval_excludes_zero(one: float, other: float, p: float) -> None:
    low, high = sorted((one, other))
    text = sentence(row(low, high, p), "Old")
    assert ("No difference shown" in text) == (low <= 0 <= high)
    assert ("higher" in text) == (low > 0)
    assert ("lower" in text) == (high < 0)
    assert "n = 40" in text or "40 cases" in text


def test_a_rank_test_that_disagrees_is_mentioned() -> None:
    assert "does not confirm" in sentence(row(0.01, 0.02, p=0.2), "Old")
    assert "does not confirm" not in sentence(row(0.01, 0.02, p=0.01), "Old")


def test_equal_is_said_only_where_the_cases_show_it() -> None:
    text = sentence(row(-0.001, 0.001, equivalence=0.01), "Old")
    assert "equivalent within 0.003 Dice at n = 40 cases (p = 0.01)" in text
    text = sentence(row(-0.02, 0.02), "Old")
    assert "which could have shown one of 0.012; this does not show that they are equal" in text


def test_without_an_interval_nothing_is_claimed() -> None:
    assert "cannot be compared" in sentence(row(math.nan, math.nan, n=1), "Old")


def test_the_baseline_is_not_compared_with_itself(study: Study) -> None:
    rows = summary_rows(collect(list(study.model_folders.values()), FOLDS), TRAINERS[0], {}, {})
    assert rows[0].difference is None and sentence(rows[0], TRAINERS[0]) == ""
    assert rows[1].difference is not None


def test_rows_hold_the_numbers_of_the_table(study: Study) -> None:
    table = collect(list(study.model_folders.values()), FOLDS)
    logs = {TRAINERS[1]: {0: read_training_log(study.model_folder(TRAINERS[1]) / "fold_0")}}
    first, second = summary_rows(table, TRAINERS[0], {TRAINERS[1]: Cost(10, 2.0)}, logs)
    values = table[(table["trainer"] == TRAINERS[0]) & (table["label"] == "Posterior")]["value"]
    assert first.per_class["Posterior"].value == pytest.approx(values.mean())
    assert first.per_class["Posterior"].dropped == 1
    assert set(first.fold_means) == set(FOLDS)
    assert (first.cost, first.seconds_per_epoch) == (None, None)
    assert (second.cost, second.seconds_per_epoch) == (Cost(10, 2.0), 2.5)


def test_p_is_adjusted_for_all_trainers_of_the_table(study: Study) -> None:
    table = collect(list(study.model_folders.values()), FOLDS)
    copies = [table.assign(trainer=table["trainer"] + name) for name in ("", "_b")]
    rows = summary_rows(pd.concat(copies), TRAINERS[0], {}, {})
    raw = [row.difference.signed_rank for row in rows if row.difference]
    assert [row.p for row in rows if row.difference] == pytest.approx(holm(raw).tolist())
    assert rows[0].p is None


def test_a_trainer_with_other_folds_is_refused(study: Study) -> None:
    table = collect(list(study.model_folders.values()), FOLDS)
    table = table[~((table["trainer"] == TRAINERS[1]) & (table["fold"] == 2))]
    with pytest.raises(ValueError, match="cases are in the results of one trainer only"):
        summary_rows(table, TRAINERS[0], {}, {})
