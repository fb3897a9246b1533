"""`_skips{mask}`: nnU-Net's trainer whose U-Net has only some of its skips."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.counting import built_to_count
from nnunet_skipx.nnunet.trainer_name import TrainerName
from nnunet_skipx.results.row_cost import ingredients
from nnunet_skipx.training.families import families
from nnunet_skipx.training.options.epochs import EpochsOption
from nnunet_skipx.training.spelling import require_trainers
from nnunet_skipx.training.twins import Budget, count
from nnunet_skipx.training.variants import trainer_class
from tests.plan_shapes import PLANNED, PlanShape, dataset_json, plans
from tests.training.small_trainer import make

FOUR_SKIPS = PlanShape((32, 32), (1, 1), 5)


def network_of(name: str, shape: PlanShape = FOUR_SKIPS, **architecture: Any) -> Any:
    manager = PlansManager(plans(shape, **architecture))
    return trainer_class(name).build_network_architecture(manager, manager.get_configuration("test"), 1, 3, True)


def test_it_is_a_trainer_that_nnunet_finds_and_whose_network_has_these_skips() -> None:
    name = "nnUNetTrainer_skips0111_30epochs"
    found: Any = recursive_find_trainer_class_by_name(name)
    assert found.__name__ == name and issubclass(found, EpochsOption) and found.epochs == 30
    assert found is trainer_class(name) and pickle.loads(pickle.dumps(found)) is found
    require_trainers([name])
    assert network_of(name).kept == (False, True, True, True)
    assert network_of("nnUNetTrainerNoSkip").kept == (False,) * 4
    assert network_of("nnUNetTrainer_bf16_skips1000").kept == (True, False, False, False)


@pytest.mark.parametrize(("option", "budget"), [("twin", "parameters"), ("flopstwin", "operations")])
def test_its_twin_has_all_skips_and_its_budget(option: str, budget: Budget) -> None:
    shape, residual = PLANNED["3d-hippocampus"]
    with built_to_count():
        own, twin = (
            network_of(name, shape, residual=residual)
            for name in ("nnUNetTrainer_skips001", f"nnUNetTrainer_skips001_{option}")
        )
    assert twin.kept == (True,) * 3 and twin.encoder.output_channels[-1] < own.encoder.output_channels[-1]
    whole, other = (count(network, budget, (1, 1, *shape.patch)) for network in (own, twin))
    assert other == pytest.approx(whole, rel=0.05)
    assert ingredients(f"nnUNetTrainer_skips001_{option}") == (("skip removal",), ("skip removal",))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nnUNetTrainer_skips1111_5epochs", "'_skips1111' keeps every skip: write nnUNetTrainer_5epochs$"),
        ("nnUNetTrainer_bf16_skips00", "'_skips00' keeps no skip: write nnUNetTrainerNoSkip_bf16$"),
        ("nnUNetTrainer_skips01_skips10", "gives an option twice"),
        ("nnUNetTrainer_skips", "there is no option '_skips'"),
        ("nnUNetTrainer_skips012_bf16", r"there is no option '_skips012'(?s:.)*_skips\{mask\} only some of the skips"),
        ("nnUNetTrainer_skips01_stage2", "nnUNetTrainer_skips01 contains no stock U-Net, so it takes no '_stage2'"),
        (
            "nnUNetTrainerUTANet_skips01",
            "nnUNetTrainerUTANet says itself which skips there are, so it takes no '_skips01'",
        ),
        ("nnUNetTrainerNoSkip_skips01", "nnUNetTrainerNoSkip says itself which"),
    ],
)
def test_names_that_mean_nothing_are_refused_with_the_cure(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        trainer_class(name)
    assert name in str(refused.value)


def test_a_mask_for_other_plans_is_refused_before_data_are_looked_for(folders: Path) -> None:
    trainer: Any = make("nnUNetTrainer_skips01", FOUR_SKIPS)
    with pytest.raises(ValueError, match=r"^01 says which of 2 skips .* has 4: write 4 digits, .* such as 0111$"):
        trainer.on_train_start()
    assert trainer.dataloader_train is None


def test_a_step_trains_it(folders: Path) -> None:
    trainer: Any = trainer_class("nnUNetTrainer_skips10_demo")(
        plans(PlanShape((32, 32), (1, 1), 3)), "test", 0, dataset_json(), torch.device("cpu")
    )
    trainer.initialize()
    assert trainer.initial_lr == 6e-3
    target = torch.randint(0, 3, (2, 1, 32, 32)).float()
    before = [p.clone() for p in trainer.network.parameters()]
    trainer.network.train()
    trainer.train_step({"data": torch.randn(2, 1, 32, 32), "target": [target, target[..., ::2, ::2]]})
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.network.parameters(), strict=True))


def test_rows_of_cut_skips_are_no_baseline_and_of_no_family() -> None:
    names = ["nnUNetTrainer_skips0111", "nnUNetTrainer_bf16", "nnUNetTrainerNoSkip", "nnUNetTrainer"]
    assert [TrainerName.of(name).is_stock for name in names] == [False, True, False, True]
    usual = frozenset({"concatenation"})
    assert [families(TrainerName.of(name)) for name in names] == [None, usual, frozenset(), usual]
