"""loading_advice: which number of workers and which augmentation mode follow from measured seconds."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.profiling.loading_advice import (
    AS_FAST,
    Loading,
    augments_on_device,
    best_workers,
    expected_seconds,
    reason,
    recommended,
)

SECONDS = st.floats(1e-4, 1e3)
ROWS = st.builds(
    Loading,
    st.sampled_from(["nnUNetTrainer", "nnUNetTrainer_gpuaug"]),
    st.integers(0, 64),
    SECONDS,
    SECONDS,
    SECONDS,
    SECONDS,
    st.floats(0, 1),
    st.none() | st.floats(0, 64),
)
CORES = st.integers(1, 64)
STARVING = Loading("nnUNetTrainer", 2, 0.1, 0.1, 1.0, 0.5, 0.8, 2.0)


@given(ROWS, CORES)
def test_no_number_of_workers_promises_more_and_no_smaller_one_as_much(row: Loading, cores: int) -> None:
    best = best_workers(row, cores)
    seconds = {workers: expected_seconds(row, workers, cores) for workers in range(1, cores + 1)}
    assert seconds[best] == min(seconds.values())
    assert all(seconds[fewer] > seconds[best] for fewer in range(1, best))
    assert best <= row.workers_needed


@given(ROWS)
def test_with_cores_in_plenty_the_device_sets_the_pace(row: Loading) -> None:
    row = replace(row, batch_seconds=min(row.batch_seconds, 50 * row.step_seconds), step_cpu_seconds=row.step_seconds)
    assert expected_seconds(row, best_workers(row, 64), 64) == row.step_seconds


@given(st.lists(ROWS, min_size=1, max_size=6), st.randoms())
def test_the_recommended_is_as_fast_as_the_fastest_and_stock_wherever_that_is(rows: list[Loading], random: Any) -> None:
    chosen = recommended(rows)
    limit = AS_FAST * min(row.iteration_seconds for row in rows)
    assert chosen.iteration_seconds <= limit
    fast = [row for row in rows if row.iteration_seconds <= limit]
    assert augments_on_device(chosen.trainer) == all(augments_on_device(row.trainer) for row in fast)
    random.shuffle(rows)
    again = recommended(rows)
    assert (again.trainer, again.workers, again.iteration_seconds) == (
        chosen.trainer,
        chosen.workers,
        chosen.iteration_seconds,
    )


@given(st.lists(ROWS, min_size=1, max_size=6), CORES)
def test_the_reason_counts_missing_cores(rows: list[Loading], cores: int) -> None:
    chosen = recommended(rows)
    assert (f"here are {cores} cores" in reason(rows, chosen, cores)) == (chosen.workers_needed > cores)


def test_the_reason_shows_both_modes() -> None:
    faster = replace(STARVING, trainer="nnUNetTrainer_gpuaug", batch_seconds=0.15, iteration_seconds=0.125, waits=0.1)
    assert recommended([STARVING, faster]) is faster
    assert reason([STARVING, faster], faster, 2) == (
        "8 iterations per second, the device waits 10% of the time; nnUNetTrainer with nnUNet_n_proc_DA=2: "
        "2 iterations per second, the device waits 80% of the time"
    )
    assert reason([STARVING], STARVING, 2).endswith("about 10 workers would keep the device busy, and here are 2 cores")


def test_nnunets_own_mode_is_left_only_for_more_than_measurements_differ_by() -> None:
    faster = replace(STARVING, trainer="nnUNetTrainer_gpuaug", iteration_seconds=STARVING.iteration_seconds / 1.04)
    assert recommended([STARVING, faster]) is STARVING
    faster = replace(faster, iteration_seconds=STARVING.iteration_seconds / 1.06)
    assert recommended([STARVING, faster]) is faster
