"""Every trainer keeps the contract; what the options of a name change in a trainer and its network."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.architectures import SkipUNet
from nnunet_skipx.nnunet.replicates import replicate_results
from nnunet_skipx.training.balance import BalancedLoss
from nnunet_skipx.training.grammar import trainer_names
from nnunet_skipx.training.options.bf16 import bfloat16_by_default
from nnunet_skipx.training.options.demo import seed_everything
from nnunet_skipx.training.variants import trainer_class
from tests.contract import SMALL, TrainerContract
from tests.plan_shapes import PlanShape, dataset_json, plans
from tests.training.small_trainer import make


class TestUTANetTrainer(TrainerContract):
    trainer = "nnUNetTrainerUTANet"


class TestXUNetTrainer(TrainerContract):
    trainer = "nnUNetTrainerXUNet"


class TestUDTransNetTrainer(TrainerContract):
    trainer = "nnUNetTrainerUDTransNet"


class TestMSAUNetTrainer(TrainerContract):
    trainer = "nnUNetTrainerMSAUNet"


class TestU2NetTrainer(TrainerContract):
    trainer = "nnUNetTrainerU2Net"


class TestU2NetUniversalTrainer(TrainerContract):
    """As far as one domain goes; tests/universal has the rest."""

    trainer = "nnUNetTrainerU2NetUniversal"


def batch() -> dict[str, Any]:
    torch.manual_seed(1)
    target = torch.randint(0, 3, (2, 1, *SMALL.patch)).float()
    return {"data": torch.randn(2, 1, *SMALL.patch), "target": [target, target[..., ::2, ::2, ::2]]}


def test_a_training_step_with_nnunets_code_counts_the_balance_loss_and_logs_it(folders: Path) -> None:
    trainer = make("nnUNetTrainerUTANet")
    trainer.initialize()
    assert isinstance(trainer.loss, BalancedLoss)
    assert trainer.loss.weight == 0.01
    trainer.network.train()
    outputs = [trainer.train_step(batch()) for _ in range(2)]
    assert trainer.bare_network.routing is None, "taken by the loss: never stale, no graph kept"
    trainer.on_train_epoch_end(outputs)
    logged = trainer.logger.local_logger.my_fantastic_logging
    assert len(logged["balance_losses"]) == 1
    assert [len(logged[f"expert_usage_gate{gate}"][0]) for gate in (1, 2)] == [4, 4]
    log = Path(trainer.log_file).read_text()
    assert "Balance loss: " in log
    assert "Expert usage gate 2: [" in log


def test_the_twin_trains_without_balance_loss(folders: Path) -> None:
    trainer = make("nnUNetTrainerUTANet_twin")
    trainer.initialize()
    assert not isinstance(trainer.loss, BalancedLoss)
    trainer.network.train()
    trainer.on_train_epoch_end([trainer.train_step(batch())])
    assert "balance_losses" not in trainer.logger.local_logger.my_fantastic_logging


def test_checkpoints_are_saved_every_10_epochs_at_the_latest(folders: Path) -> None:
    assert make("nnUNetTrainerUTANet").save_every <= 10


def test_epochs_set_the_schedule_also_together_with_the_demo(folders: Path) -> None:
    assert make("nnUNetTrainerUTANet_30epochs").num_epochs == 30
    assert make("nnUNetTrainerUTANet_demo_7epochs").num_epochs == 7
    trainer = make("nnUNetTrainer_30epochs")
    trainer.initialize()
    assert trainer.lr_scheduler.max_steps == 30


@pytest.fixture
def float16_by_default() -> Iterator[None]:
    """The CPU's autocast defaults to bfloat16; CUDA's, which the option changes, to float16."""
    before = torch.get_autocast_dtype("cpu")
    torch.set_autocast_dtype("cpu", torch.float16)
    yield
    torch.set_autocast_dtype("cpu", before)


@pytest.mark.parametrize("step", ["train_step", "validation_step"])
def test_bf16_sets_the_default_around_both_steps(folders: Path, float16_by_default: None, step: str) -> None:
    trainer = make("nnUNetTrainerUTANet_bf16")
    trainer.initialize()
    loss, seen = trainer.loss, []

    def watching(output: Any, target: Any) -> torch.Tensor:
        seen.append(torch.get_autocast_dtype("cpu"))
        return loss(output, target)

    trainer.loss = watching
    with torch.set_grad_enabled(step == "train_step"):
        getattr(trainer, step)(batch())
    assert seen == [torch.bfloat16]
    assert torch.get_autocast_dtype("cpu") == torch.float16


@pytest.mark.parametrize("name", ["nnUNetTrainer_bf16", "nnUNetTrainerUTANet_bf16"])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.slow
def test_bf16_turns_autocast_to_bfloat16_and_needs_no_scaler(
    folders: Path, float16_by_default: None, name: str, compiled: bool
) -> None:
    before = torch.get_autocast_dtype("cpu")  # float16 as on CUDA, see the fixture
    trainer = make(name)
    assert trainer.grad_scaler is None
    manager = PlansManager(plans(SMALL))
    network = type(trainer).build_network_architecture(manager, manager.get_configuration("test"), 1, 3, False)
    run = torch.compile(network, backend="aot_eager", fullgraph=True) if compiled else network
    x = torch.randn(1, 1, *SMALL.patch)
    assert run(x).dtype == torch.float32
    with bfloat16_by_default("cpu"), torch.autocast("cpu"):  # a training step on CUDA
        logits = run(x)
    logits.float().sum().backward()
    assert logits.dtype == torch.bfloat16
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.float16):  # nnU-Net's predictor on CUDA
        assert run(x).dtype == torch.bfloat16
    assert torch.get_autocast_dtype("cpu") == before


def test_the_demo_repeats_itself(folders: Path) -> None:
    cls = trainer_class("nnUNetTrainerUTANet_demo")
    weights = []
    for _ in range(2):
        trainer = cls(plans(SMALL), "test", 0, dataset_json(), torch.device("cpu"))
        trainer.initialize()
        weights.append(trainer.network.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_the_demo_trains_with_a_trainers_own_learning_rate_where_it_has_one(folders: Path) -> None:
    assert make("nnUNetTrainerUTANet_demo").initial_lr == 6e-3
    assert make("nnUNetTrainerUDTransNet_demo").initial_lr == 3e-3
    assert make("nnUNetTrainerUDTransNet").initial_lr == 1e-2


def stock_checkpoint(folder: Path) -> Path:
    torch.manual_seed(2)
    stock = PlainConvUNet(input_channels=1, num_classes=3, deep_supervision=True, **SMALL.architecture())
    path = folder / "checkpoint_final.pth"
    torch.save({"network_weights": stock.state_dict()}, path)
    return path


@pytest.mark.parametrize("base", [n for n in trainer_names() if issubclass(trainer_class(n).architecture, SkipUNet)])
def test_stage2_loads_a_stock_checkpoint_with_nnunets_loader_and_trains_the_mechanism_only(
    folders: Path, base: str
) -> None:
    trainer = make(f"{base}_stage2")
    trainer.initialize()
    path = stock_checkpoint(folders)
    load_pretrained_weights(trainer.network, str(path))
    stock = torch.load(path, weights_only=False)["network_weights"]
    before = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    assert any(key.startswith("skips.") for key in before), "the mechanism's keys are back after loading"
    trainer.network.train()
    trainer.train_step(batch())
    after = trainer.network.state_dict()
    trained = {key for key in after if not torch.equal(after[key], before[key])}
    assert all(key.startswith("skips.") or ".seg_layers." in key for key in trained)
    assert any(key.startswith("skips.") for key in trained)
    frozen = [key for key in stock if ".seg_layers." not in key]
    assert frozen and all(torch.equal(after[key], stock[key]) for key in frozen)
    assert all(len(state) for state in trainer.optimizer.state.values())
    assert not any(p in trainer.optimizer.state for p in trainer.network.parameters() if not p.requires_grad)


def test_stage2_refuses_to_start_without_weights(folders: Path) -> None:
    trainer = make("nnUNetTrainerUTANet_stage2")
    with pytest.raises(ValueError, match="-pretrained_weights"):
        trainer.on_train_start()


def test_stage2_continues_from_its_own_full_checkpoint(folders: Path) -> None:
    first = make("nnUNetTrainerUTANet_stage2")
    first.initialize()
    load_pretrained_weights(first.network, str(stock_checkpoint(folders)))
    first.network.train()
    first.train_step(batch())
    for key in ("mean_fg_dice", "ema_fg_dice"):
        first.logger.local_logger.my_fantastic_logging[key].append(0.5)
    path = folders / "latest.pth"
    first.save_checkpoint(str(path))
    second = make("nnUNetTrainerUTANet_stage2")
    second.load_checkpoint(str(path))
    assert second.is_resumed
    for key, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[key])


@pytest.mark.parametrize("name", ["nnUNetTrainerUTANet", "nnUNetTrainer_gpuaug", "nnUNetTrainerUTANet_gpuaug"])
def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    trainer = make(name)
    trainer.initialize()
    path = tmp_path / "checkpoint_latest.pth"
    trainer.save_checkpoint(str(path))
    before = path.read_bytes()

    def half(content: object, target: str | Path) -> None:
        assert Path(target) != path, "nnU-Net starts by emptying the file"
        Path(target).write_bytes(before[:1000])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="No space left"):
        trainer.save_checkpoint(str(path))
    assert path.read_bytes() == before
    assert list(tmp_path.glob("checkpoint*")) == [path]


@pytest.mark.parametrize("name", ["nnUNetTrainerUTANet", "nnUNetTrainer_gpuaug", "nnUNetTrainerUTANet_gpuaug"])
def test_other_processes_leave_the_first_ones_half_written_checkpoint_alone(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    trainer = make(name)
    trainer.initialize()
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)  # on any machine, where local_rank may be 0
    path = tmp_path / "checkpoint_latest.pth"
    halves = [Path(f"{path}.draft"), Path(f"{path}.draft.draft")]
    for half in halves:
        half.write_bytes(b"half")
    trainer.save_checkpoint(str(path))
    assert not path.exists()
    assert all(half.read_bytes() == b"half" for half in halves)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_error_names_the_cure(folders: Path) -> None:
    with pytest.raises(RuntimeError, match="-device cpu"):
        trainer_class("nnUNetTrainerUTANet")(plans(SMALL), "test", 0, dataset_json())


def test_two_stages_with_deep_supervision_fail_at_build_with_the_cure(folders: Path) -> None:
    trainer = trainer_class("nnUNetTrainerUTANet")(
        plans(PlanShape((16, 16), (1, 1), 2)), "test", 0, dataset_json(), torch.device("cpu")
    )
    with pytest.raises(ValueError, match=r"2 stages.*plan again"):
        trainer.initialize()


def test_every_epoch_of_a_demo_has_random_numbers_of_its_own_that_repeat() -> None:
    def draw(fold: int | str, replicate: int, epoch: int) -> tuple[float, float, float]:
        seed_everything(fold, replicate, epoch)
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    drawn = {cell: draw(*cell) for cell in itertools.product(range(5), range(1, 4), range(5))}
    assert all(len(set(column)) == 75 for column in zip(*drawn.values(), strict=True))
    assert draw(3, 1, 2) == drawn[3, 1, 2]
    assert draw("all", 1, 2) == drawn[0, 1, 2]


def test_replicates_of_a_demo_start_from_other_weights_and_repeat(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights(replicate: int) -> torch.Tensor:
        monkeypatch.setenv("nnUNet_results", str(replicate_results(folders / "nnUNet_results", replicate)))
        trainer = make("nnUNetTrainer_demo")
        trainer.initialize()
        return next(trainer.network.parameters()).detach().clone()

    first, second = weights(1), weights(2)
    assert not torch.equal(first, second)
    assert torch.equal(weights(2), second)
