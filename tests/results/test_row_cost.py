"""row_cost: what a model folder, its logs and a profile say about cost, and None for what they do not."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.profiling import profile as profile_module
from nnunet_skipx.profiling.cost import network_cost
from nnunet_skipx.profiling.profile import Use, profile
from nnunet_skipx.results import row_cost as row_cost_module
from nnunet_skipx.results.row_cost import RowCost, counted, ingredients, profiled, read_profile, row_cost
from nnunet_skipx.results.training_log import TrainingLog, parse_training_log
from tests.contract import SMALL
from tests.made_up_study import log_text
from tests.plan_shapes import dataset_json, plans

DATASET = "Dataset998_Test"  # of the test plans
TRAINER = "nnUNetTrainerXUNet"
MSA_UNET_CLAIMS = ("re-injection", "attention", "joint head")
SECONDS = st.lists(st.floats(0.1, 1e4), min_size=1, max_size=6)


def model_folder(root: Path, trainer: str = TRAINER, with_plans: bool = True) -> Path:
    """As nnU-Net leaves it after training; other people may copy it without its plans."""
    folder = root / DATASET / f"{trainer}__nnUNetPlans__test"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(dataset_json()))
    if with_plans:
        (folder / "plans.json").write_text(json.dumps(plans(SMALL)))
    return folder


def log(seconds: list[float], seconds_per_case: float | None = None) -> TrainingLog:
    lines = "".join(log_text(epoch, seconds=value) for epoch, value in enumerate(seconds)).splitlines()
    return TrainingLog(parse_training_log(lines).epochs, {}, seconds_per_case)


def only(**known: Any) -> RowCost:
    """Of TRAINER, whose class can always be asked what it claims."""
    return RowCost(**known, claimed=ingredients(TRAINER)[0])


@pytest.mark.parametrize("trainer", [TRAINER, "nnUNetTrainer"])
def test_parameters_and_operations_are_those_of_the_plans_in_the_folder(tmp_path: Path, trainer: str) -> None:
    cost = network_cost(trainer, plans(SMALL), "test", dataset_json())
    assert counted(model_folder(tmp_path, trainer)) == cost
    assert cost.parameters > 0 and cost.gflops > 0


def test_without_plans_nothing_is_counted(tmp_path: Path) -> None:
    assert str(counted(model_folder(tmp_path, with_plans=False))).endswith("it has no plans.json.")


def test_a_trainer_of_another_environment_is_not_counted_but_its_times_are(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, "nnUNetTrainerNobody")
    assert "nnU-Net finds no trainer 'nnUNetTrainerNobody'" in str(counted(folder))
    assert row_cost(folder, {0: log([3.0])}).seconds_per_epoch == 3
    assert row_cost(folder, {}).remark == counted(folder)


def test_a_network_of_another_environment_is_not_counted(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, "nnUNetTrainer")
    content = (folder / "plans.json").read_text()
    name = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
    assert name in content
    (folder / "plans.json").write_text(content.replace(name, "somebodys_package.Network"))
    assert "is not counted" in str(counted(folder))


def test_what_is_not_known_is_none(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, with_plans=False)
    assert row_cost(folder, {}) == only(remark=str(counted(folder)))


def test_a_trainer_tells_what_its_network_claims_and_what_it_takes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = SimpleNamespace(ingredients={"head": {"head": 1}, "attention": {}}, removed=("attention",))
    monkeypatch.setattr(row_cost_module, "find_trainer", {"nnUNetTrainerMine_without-attention": twin}.__getitem__)
    found = row_cost(model_folder(tmp_path, "nnUNetTrainerMine_without-attention", with_plans=False), {})
    assert (found.claimed, found.removed) == (("head", "attention"), ("attention",))


@pytest.mark.parametrize(
    ("options", "removed"),
    [("", ()), ("_bf16", ()), ("_bf16_without-head_demo", ("joint head",)), ("_twin", MSA_UNET_CLAIMS)],
)
def test_our_trainers_tell_it_too_by_what_a_reader_calls_it(options: str, removed: tuple[str, ...]) -> None:
    assert ingredients(f"nnUNetTrainerMSAUNet{options}") == (MSA_UNET_CLAIMS, removed)


@pytest.mark.parametrize("error", [ValueError, ImportError, RuntimeError])
def test_a_trainer_that_cannot_be_asked_claims_nothing(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fail(name: str) -> None:
        raise error(name)

    assert ingredients("nnUNetTrainer") == ((), ())
    monkeypatch.setattr(row_cost_module, "find_trainer", fail)
    assert ingredients("nnUNetTrainerSomebodys_twin") == ((), ())


def test_everything_known_is_told(tmp_path: Path) -> None:
    cost = network_cost(TRAINER, plans(SMALL), "test", dataset_json())
    found = row_cost(model_folder(tmp_path), {0: log([1800.0, 5400.0], 2.5)}, [a_profile()])
    assert found == only(
        parameters=cost.parameters,
        gflops=cost.gflops,
        seconds_per_epoch=3600,
        hours_per_fold=2,
        seconds_per_case=2.5,
        training_mb=200,
        inference_mb=100,
    )


@given(st.lists(SECONDS, min_size=1, max_size=5))
def test_seconds_are_the_median_of_all_epochs_and_hours_the_mean_of_the_folds(
    tmp_path_factory: pytest.TempPathFactory, folds: list[list[float]]
) -> None:
    folder = model_folder(tmp_path_factory.mktemp("results"), with_plans=False)
    found = row_cost(folder, {number: log(seconds) for number, seconds in enumerate(folds)})
    assert found.seconds_per_epoch == pytest.approx(np.median([value for fold in folds for value in fold]))
    assert found.hours_per_fold == pytest.approx(sum(sum(fold) for fold in folds) / len(folds) / 3600)
    assert found.seconds_per_case is None


def test_a_fold_that_only_validated_counts_for_the_cases_and_not_for_the_epochs(tmp_path: Path) -> None:
    logs = {0: log([10.0, 20.0, 30.0], 1.0), 1: log([], 7.0), 2: log([40.0], None), 3: log([], 2.0)}
    found = row_cost(model_folder(tmp_path, with_plans=False), logs)
    assert found.seconds_per_epoch == 25
    assert found.hours_per_fold == pytest.approx((60 + 40) / 2 / 3600)
    assert found.seconds_per_case == 2, "the median of 1, 7 and 2"


def test_logs_without_a_finished_epoch_give_no_times(tmp_path: Path) -> None:
    found = row_cost(model_folder(tmp_path, with_plans=False), {0: log([]), 1: log([])})
    assert found == only(remark=found.remark)


def a_profile(trainer: str = TRAINER, training: float | None = 200.0, **header: Any) -> dict[str, Any]:
    """As `skipx profile --json` prints it, as far as this module reads it, with more beside."""
    about = {"dataset": DATASET, "plans": "nnUNetPlans", "configuration": "test", "patch_size": [16, 24, 16]} | header
    row = {"trainer": trainer, "training_memory_mb": training, "inference_memory_mb": 100.0}
    return {"header": about, "trainers": [{**row, "trainer": "nnUNetTrainer", "training_memory_mb": 1.0}, row]}


def test_the_row_of_a_profile_is_that_of_the_trainer(tmp_path: Path) -> None:
    assert profiled(model_folder(tmp_path), [a_profile()])["training_memory_mb"] == 200
    assert profiled(model_folder(tmp_path, "nnUNetTrainer"), [a_profile()])["training_memory_mb"] == 1


@pytest.mark.parametrize(
    "other",
    [
        {"dataset": "Dataset004_Hippocampus"},
        {"plans": "nnUNetResEncUNetMPlans"},
        {"configuration": "2d"},
        {"trainer": f"{TRAINER}_twin"},
    ],
    ids=["dataset", "plans", "configuration", "trainer"],
)
def test_a_profile_of_something_else_is_not_taken(tmp_path: Path, other: dict[str, Any]) -> None:
    folder = model_folder(tmp_path, with_plans=False)
    assert profiled(folder, [a_profile(**other)]) == {}
    assert row_cost(folder, {}, [a_profile(**other)]) == only(remark=str(counted(folder)))
    assert profiled(folder, [a_profile(**other), a_profile(training=300.0)])["training_memory_mb"] == 300


def test_of_two_profiles_of_the_same_model_the_first_counts(tmp_path: Path) -> None:
    found = row_cost(model_folder(tmp_path, with_plans=False), {}, [a_profile(training=1.5), a_profile(training=2.5)])
    assert found.training_mb == 1.5


def test_memory_that_a_profile_could_not_measure_stays_none(tmp_path: Path) -> None:
    assert row_cost(model_folder(tmp_path, with_plans=False), {}, [a_profile(training=None)]).training_mb is None


def test_what_skipx_profile_writes_is_read_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    megabytes = {"training": 64.0, "inference": 32.0}
    monkeypatch.setattr(
        profile_module,
        "_measure",
        lambda mode, trainers, setting, runs: {name: Use(1.0, 1.0, megabytes[mode]) for name in trainers},
    )
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(profile([TRAINER], Setting(plans(SMALL), "test", dataset_json(), "cpu"), 1)))
    found = row_cost(model_folder(tmp_path), {}, [read_profile(path)])
    assert (found.training_mb, found.inference_mb) == (64, 32)


NO_PROFILES = [
    "",
    "{",
    "[]",
    "3",
    "null",
    '"text"',
    "{}",
    '{"header": {"dataset": "D"}}',
    '{"trainers": []}',
    '{"header": {}, "trainers": []}',
    '{"header": "dataset", "trainers": []}',
    '{"header": [], "trainers": []}',
    '{"comparisons": [{"dataset": "D"}]}',
]


@pytest.mark.parametrize("content", NO_PROFILES)
def test_a_file_that_is_no_profile_is_named_with_the_command_that_makes_one(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"{path}.*: write one with skipx profile .*--json > mine\.json"):
        read_profile(path)


def test_a_file_that_is_no_text_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(b"\x80\x81\xff")
    with pytest.raises(ValueError, match=f"{path} is not valid JSON"):
        read_profile(path)
