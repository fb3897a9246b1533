"""Every branch of UNet++ has a loss of its own, and a trained network can be cut and predicted with."""

from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from benchmarks.naive.nested import NaiveUNetPlusPlus
from nnunet_skipx.nnunet.folds import FINAL
from nnunet_skipx.system.files import write_json
from nnunet_skipx.training.variants import trainer_class
from tests.plan_shapes import PlanShape, dataset_json, plans
from tests.training.small_trainer import make

SHAPE = PlanShape((32, 32), (1, 1), 5)
NAME = "nnUNetTrainerUNetPlusPlus"


def batch(classes: int = 3) -> tuple[torch.Tensor, list[torch.Tensor]]:
    target = torch.randint(0, classes, (2, 1, 32, 32)).float()
    return torch.randn(2, 1, 32, 32), [target[..., ::step, ::step] for step in (1, 2, 4, 8)]


def test_the_loss_is_nnunets_and_that_of_every_branch_with_its_weight(folders: Path) -> None:
    trainer = make(NAME, SHAPE)
    trainer.initialize()
    image, target = batch()
    network = trainer.network.train()
    naive, nnunets = NaiveUNetPlusPlus(network, image), trainer.loss.loss
    whole = nnunets(naive.logits(), target)
    weight = nnunets.weight_factors[0]
    assert 0.5 < weight < 1
    expected = whole + sum(weight * nnunets.loss(naive.branch(depth), target[0]) for depth in (1, 2, 3))
    torch.testing.assert_close(trainer.loss(network(image), target), expected)
    with torch.no_grad():
        torch.testing.assert_close(trainer.loss(network(image), target), whole)
    network.branches = None
    with pytest.raises(AssertionError, match="before a training pass"):
        trainer.loss([x.requires_grad_() for x in naive.logits()], target)


@pytest.mark.parametrize("option", ["_twin", "_without-heads", "_pruned2"])
def test_without_further_branches_the_loss_is_nnunets(option: str, folders: Path) -> None:
    trainer, stock = make(NAME + option, SHAPE), make("nnUNetTrainer", SHAPE)
    for one in (trainer, stock):
        one.initialize()
    image, target = batch()
    logits = trainer.network.train()(image)
    torch.testing.assert_close(trainer.loss(logits, target), stock.loss(logits, target), rtol=0, atol=0)


@pytest.fixture
def trained(folders: Path) -> Any:
    """A trainer whose fold 0 nnU-Net would take for trained."""
    trainer = make(f"{NAME}_5epochs", SHAPE)
    trainer.initialize()
    trainer.current_epoch = 4
    trainer.logger.log("train_losses", 0.5, 0)
    for name, content in (("plans", plans(SHAPE)), ("dataset", dataset_json())):
        write_json(Path(trainer.output_folder_base) / f"{name}.json", content)
    trainer.save_checkpoint(str(Path(trainer.output_folder) / FINAL))
    return trainer


def test_a_cut_one_is_a_model_that_nnunet_predicts_with(trained: Any) -> None:
    cut = make(f"{NAME}_5epochs_pruned2", SHAPE)
    cut.run_training()
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False, use_mirroring=False)
    predictor.initialize_from_trained_model_folder(cut.output_folder_base, (0,), FINAL)
    assert predictor.trainer_name == f"{NAME}_5epochs_pruned2"
    assert isinstance(predictor.label_manager, LabelManager)
    image = torch.randn(1, 1, 32, 32)
    predictor.network.load_state_dict(predictor.list_of_parameters[0])
    predictor.network.eval()
    with torch.no_grad():
        expected = NaiveUNetPlusPlus(trained.network.eval(), image).branch(2)
        torch.testing.assert_close(predictor.network(image), expected)
    size, whole = (Path(t.output_folder, FINAL).stat().st_size for t in (cut, trained))
    assert size < whole
    resumed = make(f"{NAME}_5epochs_pruned2", SHAPE)
    resumed.load_checkpoint(str(Path(cut.output_folder) / FINAL))  # as --val does
    assert resumed.current_epoch == 5
    assert resumed.logger.get_checkpoint() == trained.logger.get_checkpoint()


def test_there_is_nothing_to_cut_before_the_whole_is_trained(folders: Path) -> None:
    cut = make(f"{NAME}_pruned2", SHAPE)
    with pytest.raises(FileNotFoundError, match=rf"nnUNetv2_train Dataset998_Test test 0 -tr {NAME} -p nnUNetPlans"):
        cut.run_training()


@pytest.mark.parametrize("removal", ["twin", "flopstwin", "without-heads"])
def test_what_has_no_nested_heads_is_not_cut(removal: str) -> None:
    with pytest.raises(ValueError, match=f"'_pruned2' needs the nested heads that '_{removal}' does without"):
        trainer_class(f"{NAME}_{removal}_pruned2")


def test_other_options_say_which_training_is_cut() -> None:
    for option in ("without-dense", "warm", "bf16_5epochs"):
        assert trainer_class(f"{NAME}_{option}_pruned2").number == 2
