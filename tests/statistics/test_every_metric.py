"""Margins, tails, sizes and covariates of a metric of which less is better are those of its mirror image."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnunet_skipx.statistics.by_size import KEYS, size_rows
from nnunet_skipx.statistics.contrasts import contrasts
from nnunet_skipx.statistics.metric import METRICS, metric_of, quantity, spelled
from nnunet_skipx.statistics.noninferiority import noninferiority
from nnunet_skipx.statistics.scores import row_scores
from nnunet_skipx.statistics.subgroups import covariate_effects
from nnunet_skipx.statistics.tails import paired_failures, tails
from tests.statistics.test_scores import table_of

NAN = float("nan")
CASES = 30
MIRRORED = "HD95 with misses (mm, image diagonal)"  # of which less is better
VALUES = st.integers(0, 1000).map(lambda seed: np.random.default_rng(seed).normal(0.5, 0.05, (2, CASES)))
few = settings(max_examples=6, deadline=None)


def pair_of(values: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same as NSD, and one minus it as a distance."""
    rows = dict(zip("AB", values, strict=True))
    return table_of(rows, "NSD (1 mm)"), table_of({row: 1 - line for row, line in rows.items()}, MIRRORED)


@few
@given(VALUES, st.floats(0.001, 0.05))
def test_margins_are_of_the_worse_side(values: np.ndarray, margin: float) -> None:
    up, down = pair_of(values)
    (more,) = noninferiority(contrasts(up, "A", NAN, "NSD (1 mm)"), margin)
    (less,) = noninferiority(contrasts(down, "A", NAN, MIRRORED), margin)
    assert (more.metric, less.metric) == ("NSD (1 mm)", MIRRORED)
    assert less.p == pytest.approx(more.p) and less.shown == more.shown
    assert less.shown == (less.difference.interval.high < margin), "the upper end is the bad one"


@few
@given(VALUES, st.floats(0.4, 0.6))
def test_tails_and_failures_are_of_the_worse_side(values: np.ndarray, threshold: float) -> None:
    frame = pd.DataFrame(dict(zip("AB", values, strict=True)))
    for more, less in zip(tails(frame, threshold), tails(1 - frame, 1 - threshold, sign=-1), strict=True):
        assert less.worst == pytest.approx(1 - more.worst) and less.failures == more.failures
    patients = [f"p{case // 2}" for case in range(CASES)]
    assert paired_failures(*values, threshold, patients) == paired_failures(
        *(1 - values), 1 - threshold, patients, sign=-1
    )


@few
@given(VALUES)
def test_sizes_have_mirrored_verdicts_and_differences(values: np.ndarray) -> None:
    up, down = pair_of(values)
    sizes = up.loc[up["row"] == "A", KEYS].assign(size=range(1, CASES + 1))
    more, less = size_rows(up, sizes, "A", NAN, "NSD (1 mm)"), size_rows(down, sizes, "A", NAN, MIRRORED)
    assert len(more) == len(less) == 6 and {line.metric for line in less} == {MIRRORED}
    for one, other in zip(more, less, strict=True):
        assert other.mean.value == pytest.approx(1 - one.mean.value)
        if one.contrast is not None and other.contrast is not None:
            assert other.contrast.verdict == one.contrast.verdict
            assert other.contrast.difference.interval.value == pytest.approx(-one.contrast.difference.interval.value)
            assert other.contrast.difference.wins == one.contrast.difference.wins


@few
@given(VALUES)
def test_dependence_on_a_covariate_is_the_same(values: np.ndarray) -> None:
    up, down = pair_of(values)
    known = pd.DataFrame({"age": np.arange(CASES, dtype=float)}, [f"c{case:02d}" for case in range(CASES)])
    (more,) = covariate_effects(row_scores(up, "NSD (1 mm)"), "A", known, metric="NSD (1 mm)")
    (less,) = covariate_effects(row_scores(down, MIRRORED), "A", known, metric=MIRRORED)
    assert less.p == pytest.approx(more.p) and (more.metric, less.metric) == ("NSD (1 mm)", MIRRORED)
    for one, other in zip(more.groups, less.groups, strict=True):
        assert (other.difference.wins, other.difference.losses) == (one.difference.wins, one.difference.losses)


def test_of_a_metric_without_a_better_side_no_margin_is_taken() -> None:
    table = table_of({row: np.linspace(-0.1, 0.2, CASES) for row in "AB"}, "volume error")
    with pytest.raises(ValueError, match="volume error: neither more nor less of it is better"):
        noninferiority(contrasts(table, "A", NAN, "volume error"), 0.1)


@pytest.mark.parametrize("name", METRICS)
def test_a_name_may_be_written_with_hyphens_and_small_letters(name: str) -> None:
    assert spelled(name.lower().replace(" ", "-")) == name == spelled(name)
    assert spelled(f"{name.upper()} (a setting)") == f"{name} (a setting)"
    whole = f"{name} ({metric_of(name).setting})" if metric_of(name).setting else name
    assert quantity(0.02, whole).startswith("0.02 ") and quantity(0.02, whole).endswith(whole)


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="nothing is known of the metric 'ASSD'; known are Dice, IoU"):
        spelled("ASSD")
