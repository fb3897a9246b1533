"""`_warm`: the same training from pretrained weights, and never without."""

from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.training.variants import trainer_class
from tests.training.small_trainer import make
from tests.training.test_pretrained import saved, stock_file


@pytest.fixture
def started(folders: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The trainers that came as far as nnU-Net's own start of a training."""
    reached: list[Any] = []
    monkeypatch.setattr(nnUNetTrainer, "on_train_start", lambda trainer: reached.append(trainer))
    return reached


@pytest.mark.parametrize("name", ["nnUNetTrainer", "nnUNetTrainerUTANet"])
def test_it_starts_with_weights_only(name: str, started: list[Any], tmp_path: Path) -> None:
    for initialized in (False, True):
        trainer: Any = make(f"{name}_demo_warm")
        if initialized:
            trainer.initialize()
        with pytest.raises(ValueError, match=f"add -pretrained_weights CHECKPOINT, or train {name}_demo$"):
            trainer.on_train_start()
    assert not started
    trainer = make(f"{name}_warm")
    trainer.initialize()
    load_pretrained_weights(trainer.network, str(stock_file(tmp_path)))
    trainer.on_train_start()
    assert started == [trainer]


@pytest.mark.parametrize("name", ["nnUNetTrainer", "nnUNetTrainerUTANet"])
def test_the_baseline_takes_an_encoder_alone_as_ours_do(name: str, started: list[Any], tmp_path: Path) -> None:
    trainer: Any = make(f"{name}_warm")
    trainer.initialize()
    whole = torch.load(stock_file(tmp_path))["network_weights"]
    encoder = {key: value for key, value in whole.items() if key.startswith("encoder.")}
    load_pretrained_weights(trainer.network, str(saved(tmp_path, encoder)))
    trainer.on_train_start()
    state = trainer.network.state_dict()
    assert all(torch.equal(state[key], value) for key, value in encoder.items())
    log = Path(trainer.log_file).read_text()
    assert log.count("Pretrained weights: ") == 1 and "not in the file, or in another shape: decoder." in log


def test_it_goes_on_from_its_own_checkpoint(started: list[Any], tmp_path: Path) -> None:
    first, second = (make("nnUNetTrainer_warm") for _ in range(2))
    first.initialize()
    first.save_checkpoint(str(tmp_path / "checkpoint_latest.pth"))
    second.load_checkpoint(str(tmp_path / "checkpoint_latest.pth"))
    second.on_train_start()
    assert started == [second]


def test_it_is_the_same_network_optimiser_and_schedule(folders: Path) -> None:
    warm, scratch = make("nnUNetTrainerXUNet_warm_adamw_30epochs"), make("nnUNetTrainerXUNet_adamw_30epochs")
    for trainer in (warm, scratch):
        torch.manual_seed(0)
        trainer.initialize()
    own, other = warm.network.state_dict(), scratch.network.state_dict()
    assert own.keys() == other.keys() and all(torch.equal(own[key], other[key]) for key in own)
    assert (type(warm.optimizer), warm.num_epochs) == (type(scratch.optimizer), scratch.num_epochs)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nnUNetTrainerUTANet_stage2_warm", "'_stage2' starts from trained weights anyway: leave '_warm' out"),
        ("nnUNetTrainerU2Net_adapt500_warm", "'_adapt500' starts from trained weights anyway"),
        ("nnUNetTrainerU2NetUniversal_warm", "has a network per domain, so it takes no '_warm'"),
    ],
)
def test_where_it_means_nothing_it_is_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        trainer_class(name)
