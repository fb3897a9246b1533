"""Steps that the GradScaler skips are counted and logged, epoch by epoch; a scaler works on the CPU, too."""

from pathlib import Path
from typing import Any

import pytest
import torch

from nnunet_skipx.results.training_log import read_training_log
from nnunet_skipx.training.trainer import SkipTrainer
from tests.contract import SMALL
from tests.training.small_trainer import make

FINITE_SCALE = 1024.0
TRAINER = "nnUNetTrainerXUNet"


def batch(value: float = 0.0) -> dict[str, Any]:
    """Noise, with one voxel of another value if it is not 0."""
    torch.manual_seed(1)
    data = torch.randn(2, 1, *SMALL.patch)
    if value:
        data[0, 0, 3, 3, 3] = value
    target = torch.randint(0, 3, (2, 1, *SMALL.patch)).float()
    return {"data": data, "target": [target, target[..., ::2, ::2, ::2]]}


GOOD, BAD = batch(), batch(float("inf"))


def scaled(name: str, scale: float | None, **options: Any) -> SkipTrainer:
    """A trainer in training; needs the `folders` of conftest. Without a scale it has no scaler, as on the CPU."""
    trainer = make(name)
    assert isinstance(trainer, SkipTrainer)
    trainer.initialize()
    if scale is not None:
        trainer.grad_scaler = torch.amp.GradScaler("cpu", init_scale=scale, **options)
    trainer.network.train()
    return trainer


def changes_weights(trainer: SkipTrainer, content: dict[str, Any]) -> bool:
    before = [parameter.detach().clone() for parameter in trainer.network.parameters()]
    trainer.train_step(content)
    assert all(parameter.isfinite().all() for parameter in trainer.network.parameters())
    return any(not torch.equal(*pair) for pair in zip(before, trainer.network.parameters(), strict=True))


def skipped_lines(trainer: SkipTrainer) -> list[str]:
    return [
        line.split(": ", 1)[1].strip()
        for line in Path(trainer.log_file).read_text().splitlines()
        if "Skipped steps" in line
    ]


@pytest.mark.parametrize(
    "name", [TRAINER, "nnUNetTrainerMSAUNet", "nnUNetTrainerXUNet_adamw", f"{TRAINER}_fast", "nnUNetTrainerUTANet_fast"]
)
def test_steps_with_an_infinite_gradient_count_and_leave_the_weights_alone(folders: Path, name: str) -> None:
    trainer = scaled(name, FINITE_SCALE)
    steps = [GOOD, BAD, GOOD, BAD, BAD, GOOD]
    seen = []
    for content in steps:
        assert changes_weights(trainer, content) == (content is GOOD)
        seen.append(trainer.skipped.count())
    assert seen == [0, 1, 1, 2, 3, 3]


def test_finite_steps_count_none_also_when_the_scale_grows(folders: Path) -> None:
    trainer = scaled(TRAINER, FINITE_SCALE, growth_interval=1)
    assert [changes_weights(trainer, GOOD) for _ in range(3)] == [True] * 3
    assert trainer.grad_scaler.get_scale() == 8 * FINITE_SCALE
    assert trainer.skipped.count() == 0


def test_a_scale_that_overflows_is_counted_until_it_has_come_down(folders: Path) -> None:
    trainer = scaled(TRAINER, 2.0**127, backoff_factor=2.0**-10)
    loss = trainer.loss
    trainer.loss = lambda output, target: 1e6 * loss(output, target)  # so that float32 overflows as float16 would
    changed: list[bool] = []
    while not any(changed):
        assert len(changed) < 10
        changed.append(changes_weights(trainer, GOOD))
        assert trainer.skipped.count() == changed.count(False)
    assert changed.count(False) >= 2


def test_the_step_returns_what_nnunets_returns(folders: Path) -> None:
    with_scaler, without = scaled(TRAINER, FINITE_SCALE).train_step(GOOD), scaled(TRAINER, None).train_step(GOOD)
    assert with_scaler.keys() == without.keys() == {"loss"}
    assert with_scaler["loss"] == pytest.approx(without["loss"])


def test_every_epoch_logs_its_own_skipped_steps_once(folders: Path) -> None:
    trainer = scaled(TRAINER, FINITE_SCALE)
    for epoch, contents in enumerate([[GOOD, BAD], [GOOD], [BAD, BAD, GOOD]]):
        trainer.on_train_epoch_end([trainer.train_step(content) for content in contents])
        assert trainer.skipped.count() == 0, "the next epoch begins to count again"
        assert len(skipped_lines(trainer)) == epoch + 1
    assert skipped_lines(trainer) == ["Skipped steps: 1", "Skipped steps: 0", "Skipped steps: 2"]


def test_a_trainer_that_logs_more_logs_the_skipped_steps_too(folders: Path) -> None:
    trainer = scaled("nnUNetTrainerUTANet", FINITE_SCALE)
    trainer.on_train_epoch_end([trainer.train_step(GOOD), trainer.train_step(BAD)])
    assert skipped_lines(trainer) == ["Skipped steps: 1"]
    assert "Balance loss: " in Path(trainer.log_file).read_text()


@pytest.mark.parametrize("name", [TRAINER, f"{TRAINER}_bf16", f"{TRAINER}_fast"])
def test_without_a_scaler_nothing_is_logged(folders: Path, name: str) -> None:
    trainer = scaled(name, None)
    assert trainer.grad_scaler is None
    assert changes_weights(trainer, GOOD)
    trainer.on_train_epoch_end([trainer.train_step(GOOD)])
    assert len(trainer.logger.get_value("train_losses", step=None)) == 1, "nnU-Net's part is done"
    assert skipped_lines(trainer) == []


def test_the_report_reads_the_skipped_steps_that_the_trainer_logs(folders: Path) -> None:
    trainer = scaled(TRAINER, FINITE_SCALE)
    for contents in ([BAD, GOOD], [GOOD]):
        trainer.print_to_log_file(f"Epoch {trainer.current_epoch}")
        trainer.on_train_epoch_end([trainer.train_step(content) for content in contents])
        trainer.print_to_log_file("Epoch time: 1.0 s")
        trainer.current_epoch += 1
    assert read_training_log(Path(trainer.output_folder)).epochs["skipped_steps"].tolist() == [1, 0]
