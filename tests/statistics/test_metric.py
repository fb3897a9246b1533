"""Which way a metric is better: for verdicts, wins and ranks; and what a missed or invented structure counts."""

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.statistics.contrasts import MetricRow, metric_rows
from nnunet_skipx.statistics.metric import METRICS, metric_of
from nnunet_skipx.statistics.scores import Empties
from tests.statistics.test_scores import table_of

NAN = float("nan")
MISSES, FOUND = "HD95 with misses (mm, image diagonal)", "HD95 (mm, found only)"


def values(mean: float) -> np.ndarray:
    return np.random.default_rng(int(100 * mean)).normal(mean, 0.01, 20)


def lines_of(metric: str, **rows: float) -> dict[str, MetricRow]:
    """By row, the rows with these means."""
    made = metric_rows(table_of({name: values(mean) for name, mean in rows.items()}, metric), "A")
    return {line.row: line for line in made}


@pytest.mark.parametrize("name", [name for name in METRICS if name != "Dice"])
def test_verdict_wins_and_rank_go_the_same_way(name: str) -> None:
    found, sign = lines_of(f"{name} (a setting)", A=0.5, B=0.3), METRICS[name].sign
    assert {line.better for line in found.values()} == {METRICS[name].better}
    contrast = found["B"].contrast
    assert contrast is not None
    assert contrast.verdict == {1: "worse", 0: None, -1: "better"}[sign]
    assert (contrast.difference.wins, contrast.difference.losses) == {1: (0, 20), 0: (0, 0), -1: (20, 0)}[sign]
    ranks = [found[row].mean_rank for row in "AB"]
    np.testing.assert_equal(ranks, {1: [1, 2], 0: [NAN, NAN], -1: [2, 1]}[sign])


def test_nothing_is_assumed_of_an_unknown_metric() -> None:
    with pytest.raises(ValueError, match="nothing is known of the metric 'ASSD'; known are Dice, IoU"):
        metric_of("ASSD")


def test_who_misses_structures_does_not_win_by_distances() -> None:
    """B misses half of the structures, the hard ones, and is a little nearer in the others."""
    one, other = np.concatenate([values(3), values(9)]), np.concatenate([values(2.9), np.full(20, NAN)])
    known = np.where(np.isnan(other), 100.0, other)
    dice = table_of({"A": np.full(40, 0.8), "B": np.where(np.isnan(other), 0.0, 0.8)})
    table = pd.concat([dice, table_of({"A": one, "B": other}, FOUND), table_of({"A": one, "B": known}, MISSES)])
    found = {line.metric: line for line in metric_rows(table, "A") if line.row == "B"}
    assert found[FOUND].mean.value < 3 and found[FOUND].contrast is not None and found[MISSES].contrast is not None
    assert found[FOUND].contrast.reason == "undefined values"
    assert (found[MISSES].contrast.verdict, found[MISSES].mean.n) == ("worse", 40)


def test_who_rightly_finds_nothing_has_no_distance_where_another_invents() -> None:
    dice = table_of({"A": np.array([NAN, 0.8]), "B": np.array([0.0, 0.8])})
    misses = table_of({"A": np.array([NAN, 3.0]), "B": np.array([100.0, 3.0])}, MISSES)
    (contrast,) = [line.contrast for line in metric_rows(pd.concat([dice, misses]), "A") if line.contrast]
    assert contrast.empties == Empties(one=1)
    assert contrast.difference.interval.value == pytest.approx(50)


def test_lesions_too_small_to_count_are_no_unread_label_map() -> None:
    """Neither reference nor A has a lesion that counts, though both have voxels; B invents one."""
    dice = table_of({"A": np.array([0.2, 0.8]), "B": np.array([0.1, 0.8])})
    f1 = table_of({"A": np.array([NAN, 1.0]), "B": np.array([0.0, 1.0])}, "lesion F1 (IoU > 0.5, 9 mm3 or more)")
    fp = table_of({"A": np.array([0.0, 0.0]), "B": np.array([1.0, 0.0])}, "lesion FP (IoU > 0.5, 9 mm3 or more)")
    made = {line.metric[:9]: line.contrast for line in metric_rows(pd.concat([dice, f1, fp]), "A") if line.contrast}
    assert made["lesion F1"].empties == Empties(one=1)
    assert made["lesion F1"].difference.interval.value == pytest.approx(-0.5)
    unread = fp.assign(value=fp["value"].where((fp["row"] != "A") | (fp["case"] != fp["case"].iloc[0])))
    again = {
        line.metric[:9]: line.contrast for line in metric_rows(pd.concat([dice, f1, unread]), "A") if line.contrast
    }
    assert again["lesion F1"].empties == Empties(undefined=1)
