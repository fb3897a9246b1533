"""training_log: what nnU-Net's logger writes is read back, however often the training was resumed."""

import math
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as trainer_module
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.results.training_log import parse_training_log, read_training_log
from tests.made_up_study import EXPERT_LINES, TRAINERS, Study, log_text

MEASURED = st.floats(-1e4, 1e4, allow_nan=False, width=32)


@given(
    st.lists(
        st.tuples(MEASURED, MEASURED, st.lists(st.floats(0, 1, width=32), min_size=1, max_size=4)),
        min_size=1,
        max_size=4,
    )
)
def test_what_nnunets_own_epoch_end_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, epochs: list) -> None:
    folder = tmp_path_factory.mktemp("fold_0")
    for number, (train_loss, val_loss, dice) in enumerate(epochs):
        _run_nnunets_epoch_end(folder / "training_log_2025_1_2_03_04_05.txt", number, train_loss, val_loss, dice)
    table = read_training_log(folder).epochs
    expected = [(round(train, 4), round(val, 4), np.mean(dice), 12.5) for train, val, dice in epochs]
    read = table[["train_loss", "val_loss", "pseudo_dice", "seconds"]]
    np.testing.assert_allclose(read, expected, rtol=1e-6, atol=1e-4)
    assert list(table.index) == list(range(len(epochs)))


def _run_nnunets_epoch_end(path: Path, epoch: int, train_loss: float, val_loss: float, dice: list[float]) -> None:
    """nnU-Net's methods on a stand-in trainer, so that the format is theirs and not ours."""
    values = {
        "train_losses": np.float32(train_loss),
        "val_losses": np.float64(val_loss),
        "dice_per_class_or_region": [np.float64(value) for value in dice],
        "epoch_end_timestamps": 112.5,
        "epoch_start_timestamps": 100.0,
        "ema_fg_dice": 0.0,
    }
    logger = SimpleNamespace(
        log=lambda *args: None, get_value=lambda key, step: values[key], plot_progress_png=lambda folder: None
    )
    trainer = SimpleNamespace(
        logger=logger,
        log_file=str(path),
        local_rank=0,
        current_epoch=epoch,
        save_every=10**9,
        num_epochs=9,
        _best_ema=1.0,
        output_folder=str(path.parent),
    )
    trainer.print_to_log_file = partial(nnUNetTrainer.print_to_log_file, trainer, also_print_to_console=False)
    trainer.print_to_log_file(f"Epoch {epoch}")
    nnUNetTrainer.on_epoch_end(trainer)


@pytest.mark.parametrize("wrapper", ["{}", "np.float64({})", "np.float32({})"])
def test_nan_classes_do_not_count_in_the_pseudo_dice(wrapper: str) -> None:
    line = f"Pseudo dice [{wrapper.format(0.25)}, {wrapper.format('nan')}, {wrapper.format(0.75)}]"
    text = log_text(0).splitlines()
    text[5] = line
    assert parse_training_log(text).epochs.loc[0, "pseudo_dice"] == 0.5


def test_a_loss_of_nan_stays_nan() -> None:
    assert math.isnan(parse_training_log(log_text(0, loss=math.nan).splitlines()).epochs.loc[0, "train_loss"])


def test_resumed_epochs_win_whatever_the_file_names_sort_like(tmp_path: Path) -> None:
    # As text 2025_9_30 sorts after 2025_10_1.
    (tmp_path / "training_log_2025_9_30_23_59_59.txt").write_text("".join(log_text(n, loss=1.0) for n in range(6)))
    (tmp_path / "training_log_2025_10_1_00_00_01.txt").write_text("".join(log_text(n, loss=2.0) for n in (3, 4)))
    table = read_training_log(tmp_path).epochs
    assert table["train_loss"].to_dict() == {0: 1.0, 1: 1.0, 2: 1.0, 3: 2.0, 4: 2.0}


@given(st.integers(1, 8), st.data())
def test_epochs_after_the_point_of_resumption_are_void(first: int, data: st.DataObject) -> None:
    resumed_at = data.draw(st.integers(0, first))
    more = data.draw(st.integers(1, 5))
    text = "".join(log_text(n, loss=1) for n in range(first))
    text += "".join(log_text(resumed_at + n, loss=2) for n in range(more))
    table = parse_training_log(text.splitlines()).epochs
    assert list(table.index) == list(range(resumed_at + more))
    assert list(table["train_loss"]) == [1] * resumed_at + [2] * more


def test_an_unfinished_epoch_is_left_out() -> None:
    lines = (log_text(0) + log_text(1)).splitlines()
    assert list(parse_training_log(lines[:-2]).epochs.index) == [0]


def test_a_log_that_only_validates_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "training_log_2025_1_1_01_01_01.txt").write_text(log_text(0))
    (tmp_path / "training_log_2025_1_1_01_01_02.txt").write_text(
        "2025-11-21 02:19:00.000002: Validation complete \n2025-11-21 02:19:00.000002: Mean Validation Dice:  0.8 \n"
    )
    assert list(read_training_log(tmp_path).epochs.index) == [0]


def test_expert_usage_is_read_with_spaces_and_with_commas(study: Study) -> None:
    log = read_training_log(study.model_folder(TRAINERS[1]) / "fold_0")
    assert log.expert_usage[1].to_numpy().tolist() == [[0.25, 0.25, 0.4, 0.1]] * 3
    assert log.expert_usage[2].to_numpy().tolist() == [[0.1, 0.2, 0.3, 0.4]] * 3
    assert log.epochs["balance_loss"].tolist() == [0.125] * 3


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=8))
def test_expert_usage_survives_numpys_own_notation(shares: list[float]) -> None:
    array = np.array(shares, dtype=np.float32)
    with np.printoptions(linewidth=10_000, precision=9):
        lines = ["Epoch 0", f"Expert usage gate 3: {array}", "Epoch time: 1.0 s"]
    read = parse_training_log(lines).expert_usage[3].loc[0]
    np.testing.assert_allclose(read, shares, rtol=1e-6, atol=1e-9)  # nine digits behind the point are printed


def test_a_stock_training_has_no_experts_and_no_balance_loss(study: Study) -> None:
    log = read_training_log(study.model_folder(TRAINERS[0]) / "fold_0")
    assert log.expert_usage == {} and log.epochs["balance_loss"].isna().all()


def test_lines_before_the_first_epoch_and_empty_logs_give_an_empty_table() -> None:
    log = parse_training_log(EXPERT_LINES)
    assert log.epochs.empty and log.expert_usage == {} and isinstance(log.epochs, pd.DataFrame)


def test_a_folder_without_logs_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"No training_log.*{tmp_path.name}"):
        read_training_log(tmp_path)


def test_skipped_steps_are_read_where_the_trainer_logs_them() -> None:
    text = log_text(0, extra=("Skipped steps: 3",)) + log_text(1, extra=("Skipped steps: 0",)) + log_text(2)
    np.testing.assert_equal(parse_training_log(text.splitlines()).epochs["skipped_steps"].tolist(), [3, 0, math.nan])


def test_a_stock_training_logs_no_skipped_steps(study: Study) -> None:
    assert read_training_log(study.model_folder(TRAINERS[0]) / "fold_0").epochs["skipped_steps"].isna().all()


MICROSECONDS = st.one_of(st.integers(0, 10**9), st.integers(0, 1000).map(lambda seconds: seconds * 10**6))


def _validate(path: Path, gaps: list[int], start: int = 1_700_000_000) -> None:
    """What nnU-Net logs of its validation, each case so many microseconds after the one before; first with no gap."""
    trainer = SimpleNamespace(log_file=str(path), local_rank=0)
    now = start * 10**6
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module, "time", lambda: now / 10**6)
        for number, gap in enumerate(gaps):
            now += gap
            for text in (f"predicting case_{number}", f"case_{number}, shape torch.Size([1, 8, 8, 8]), rank 0"):
                nnUNetTrainer.print_to_log_file(trainer, text, also_print_to_console=False)
                now += 1
            now -= 2
        nnUNetTrainer.print_to_log_file(trainer, "Validation complete", also_print_to_console=False)


@given(st.lists(MICROSECONDS, min_size=1, max_size=8))
def test_seconds_per_case_are_the_median_between_the_cases_that_nnunet_began(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("fold_0")
    _validate(folder / "training_log_2023_11_14_22_13_20.txt", [0, *gaps])
    assert read_training_log(folder).seconds_per_case == pytest.approx(np.median(gaps) / 10**6, abs=2e-6)


@pytest.mark.parametrize("gaps", [[], [0]])
def test_fewer_than_two_cases_tell_no_seconds_per_case(tmp_path: Path, gaps: list[int]) -> None:
    _validate(tmp_path / "training_log_2023_11_14_22_13_20.txt", gaps)
    assert read_training_log(tmp_path).seconds_per_case is None


def test_a_training_without_validation_tells_no_seconds_per_case() -> None:
    assert parse_training_log((log_text(0) + log_text(1)).splitlines()).seconds_per_case is None


def test_a_validation_that_was_interrupted_for_a_day_tells_the_same_seconds_per_case(tmp_path: Path) -> None:
    gaps = [0, *[2 * 10**6, 3 * 10**6, 4 * 10**6] * 2]
    _validate(tmp_path / "training_log_2023_11_14_22_13_20.txt", gaps)
    whole = read_training_log(tmp_path).seconds_per_case
    _validate(tmp_path / "training_log_2023_11_15_22_13_20.txt", gaps, 1_700_000_000 + 86_400)
    assert whole == read_training_log(tmp_path).seconds_per_case == pytest.approx(3)


def test_training_and_validation_in_one_log_are_both_read(tmp_path: Path) -> None:
    path = tmp_path / "training_log_2025_11_21_02_19_00.txt"
    path.write_text(log_text(0) + log_text(1))
    _validate(path, [0, 1_500_000, 2_500_000])
    log = read_training_log(tmp_path)
    assert list(log.epochs.index) == [0, 1]
    assert log.seconds_per_case == pytest.approx(2)
