"""profile: what it measures of each trainer, and what it says when it cannot."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.profiling import profile as module
from nnunet_skipx.profiling.cost import network_cost
from nnunet_skipx.profiling.measure import Step
from nnunet_skipx.profiling.profile import profile, profile_text
from tests.contract import SMALL
from tests.plan_shapes import dataset_json, plans

TRAINERS = ["nnUNetTrainerUTANet", "nnUNetTrainer"]


def setting(device: str = "cpu") -> Setting:
    content = plans(SMALL)
    del content["continue_training"]
    return Setting(content, "test", dataset_json(), device)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known seconds and memory in place of measured ones."""
    seconds = {"nnUNetTrainerUTANet": [4.0, 2.0, 60.0], "nnUNetTrainer": [1.0, 2.0, 3.0]}
    megabytes = {"nnUNetTrainerUTANet": 100.0, "nnUNetTrainer": 50.0}

    def paired(steps: Mapping[str, Step], runs: int, warmup: int) -> dict[str, list[float]]:
        return {name: seconds[name][:runs] for name in steps}

    monkeypatch.setattr(module, "paired_seconds", paired)
    monkeypatch.setattr(module, "in_fresh_process", lambda function, mode, trainer, setting: megabytes[trainer])
    monkeypatch.setattr(module, "memory_is_measurable", lambda: True)


def test_medians_and_ratios_refer_to_the_first_trainer(known: None) -> None:
    rows = profile(TRAINERS, setting(), 3)["trainers"]
    assert [row["trainer"] for row in rows] == TRAINERS
    assert [row["training_seconds"] for row in rows] == [4.0, 2.0]
    assert [row["training_time_ratio"] for row in rows] == [1.0, 0.25]
    assert [row["inference_memory_mb"] for row in rows] == [100.0, 50.0]


def test_parameters_and_operations_are_those_of_the_cost_table(known: None) -> None:
    for row in profile(TRAINERS, setting(), 1)["trainers"]:
        cost = network_cost(row["trainer"], setting().plans, "test", dataset_json())
        assert (row["parameters"], row["gflops"]) == (cost.parameters, cost.gflops)


def test_the_header_says_what_was_measured_and_where(known: None) -> None:
    content = profile(TRAINERS, setting(), 2)
    header = content["header"]
    assert (header["dataset"], header["plans"], header["configuration"]) == ("Dataset998_Test", "nnUNetPlans", "test")
    assert (header["patch_size"], header["batch_size"], header["runs"]) == (list(SMALL.patch), 2, 2)
    assert (header["device"], header["torch"]) == ("cpu", torch.__version__)
    assert header["threads"] == torch.get_num_threads()
    assert json.loads(json.dumps(content)) == content


def test_the_text_shows_numbers_ratios_and_the_machine(known: None) -> None:
    content = profile(TRAINERS, setting(), 3)
    text = profile_text(content)
    assert content["header"]["machine"] in text
    assert "x".join(map(str, SMALL.patch)) in text
    stock = text.splitlines()[-1].split("  ")
    assert stock[0] == "nnUNetTrainer"
    assert {cell.strip() for cell in stock} >= {"2 (0.25x)", "50 (0.50x)"}


def test_where_the_system_does_not_tell_memory_the_rest_is_measured(
    known: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "memory_is_measurable", lambda: False)
    content = profile(TRAINERS, setting(), 1)
    assert [row["training_memory_mb"] for row in content["trainers"]] == [None, None]
    assert "Memory is missing" in profile_text(content)


def test_the_trainers_take_turns_and_both_kinds_of_step_are_timed(known: None, monkeypatch: pytest.MonkeyPatch) -> None:
    timed = []

    def paired(steps: Mapping[str, Step], runs: int, warmup: int) -> dict[str, list[float]]:
        timed.append((list(steps), runs, warmup > 0))
        for step in steps.values():
            step()
        return {name: [1.0] for name in steps}

    monkeypatch.setattr(module, "paired_seconds", paired)
    profile(TRAINERS, setting(), 5)
    assert timed == [(TRAINERS, 5, True)] * 2


def test_nnunets_remarks_stay_out_of_stdout(known: None, capsys: pytest.CaptureFixture) -> None:
    unnamed = setting()
    unnamed.plans.pop("label_manager", None)  # nnU-Net says so, with print
    profile(TRAINERS, unnamed, 1)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.skipif(not module.memory_is_measurable(), reason="this system does not tell the peak of its memory")
def test_real_measurements_show_that_the_mechanism_costs_memory() -> None:
    content = profile(TRAINERS, setting(), 1)
    ours, stock = content["trainers"]
    assert ours["training_memory_mb"] > stock["training_memory_mb"] > stock["inference_memory_mb"] > 0
    assert min(ours["training_seconds"], stock["inference_seconds"]) > 0
    assert ours["training_seconds"] > ours["inference_seconds"]


def failing(error: BaseException) -> Callable[..., Step]:
    def make(trainer: type[nnUNetTrainer], setting: Setting) -> Step:
        raise error

    return make


def too_large() -> Exception:
    try:
        torch.empty(2**52)
    except RuntimeError as error:
        return error
    raise AssertionError("this machine has 16 PB of memory")


@pytest.mark.parametrize("mode", ["training", "inference"])
@pytest.mark.parametrize(
    ("error", "where"),
    [(too_large(), "this machine"), (MemoryError(), "this machine"), (torch.OutOfMemoryError("CUDA"), "the GPU")],
)
def test_running_out_of_memory_is_explained(
    known: None, monkeypatch: pytest.MonkeyPatch, mode: str, error: Exception, where: str
) -> None:
    monkeypatch.setitem(module.MODES, mode, failing(error))
    with pytest.raises(RuntimeError, match=rf"memory of {where} is too small for {mode} with nnUNetTrainerUTANet.*-c"):
        profile(TRAINERS, setting(), 1)


def test_other_errors_keep_their_words(known: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.MODES, "training", failing(RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match=r"^shapes differ$"):
        profile(TRAINERS, setting(), 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"runs": 0}, "--runs 0"),
        ({"trainers": ["nnUNetTrainer", "nnUNetTrainer"]}, "twice"),
        ({"trainers": ["nnUNetTrainerNobody"]}, "nnUNetTrainerNobody"),
        ({"setting": Setting(setting().plans, "3d_fullres", dataset_json(), "cpu")}, "they have: test"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(module, "_measure", failing(AssertionError("measured")))
    with pytest.raises(ValueError, match=words):
        profile(**{"trainers": TRAINERS, "setting": setting(), "runs": 1} | change)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_error_names_the_cure() -> None:
    with pytest.raises(ValueError, match="-device cpu"):
        profile(TRAINERS, setting("cuda"), 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_on_a_gpu_memory_and_time_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("nnUNet_compile", "false")
    content = profile(TRAINERS, setting("cuda"), 1)
    assert "float16" in content["header"]["machine"]
    for row in content["trainers"]:
        assert all(value > 0 for key, value in row.items() if key != "trainer")
