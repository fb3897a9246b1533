"""profile --dataloading: what it measures of known loaders, and what it says when it cannot."""

import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from batchgenerators.dataloading.nondet_multi_threaded_augmenter import NonDetMultiThreadedAugmenter
from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter
from nnunetv2.utilities.default_n_proc_DA import get_allowed_n_proc_DA

from nnunet_skipx.cli.main import main
from nnunet_skipx.profiling import dataloading as module
from nnunet_skipx.profiling import loading_run
from nnunet_skipx.profiling.dataloading import both_modes, dataloading, dataloading_text
from nnunet_skipx.profiling.loading_run import LoadingSetting, first_counts, measure_loading, workers_ended
from tests.contract import SMALL
from tests.plan_shapes import dataset_json, plans

# nnU-Net's thread says so when the workers of a half-started loader are ended.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("nnUNetTrainer", ("nnUNetTrainer", "nnUNetTrainer_gpuaug")),
        ("nnUNetTrainer_gpuaug", ("nnUNetTrainer", "nnUNetTrainer_gpuaug")),
        ("nnUNetTrainerUTANet_gpuaug_twin", ("nnUNetTrainerUTANet_twin", "nnUNetTrainerUTANet_gpuaug_twin")),
    ],
)
def test_a_name_stands_for_both_modes(name: str, pair: tuple[str, str]) -> None:
    assert both_modes(name) == pair


class Source:
    """What a worker draws batches from: one every `seconds`; of a damaged case none."""

    def __init__(self, seconds: float, damaged: bool = False) -> None:
        self.seconds, self.damaged = seconds, damaged

    def set_thread_id(self, thread_id: int) -> None:
        """The workers call it."""

    def __next__(self) -> dict[str, torch.Tensor]:
        if self.damaged:
            raise OSError("hippocampus_007.b2nd is damaged")
        time.sleep(self.seconds)
        return {"data": torch.zeros(1)}


class KnownTrainer:
    """A trainer whose steps and batches take known times."""

    device = torch.device("cpu")
    preprocessed_dataset_folder = "/preprocessed/Dataset004_Hippocampus/nnUNetPlans_3d_fullres"
    configuration_name = "3d_fullres"

    class plans_manager:
        plans_name, dataset_name = "nnUNetPlans", "Dataset004_Hippocampus"

    def __init__(self, step: float, batch: float, damaged: bool = False, stops_after: int = 1000) -> None:
        self.step, self.sources, self.steps_left = step, (Source(batch), Source(batch, damaged)), stops_after

    def get_dataloaders(self) -> list[Any]:
        """As nnU-Net's, both started."""
        workers = get_allowed_n_proc_DA()
        loaders = [
            NonDetMultiThreadedAugmenter(source, None, workers, 6, None, False, 0.002)
            if workers
            else SingleThreadedAugmenter(source, None)
            for source in self.sources
        ]
        for loader in loaders:
            next(loader)
        return loaders

    def train_step(self, batch: dict) -> dict:
        """Sleeps, as long as it may."""
        self.steps_left -= 1
        if self.steps_left < 0:
            raise KeyboardInterrupt
        time.sleep(self.step)
        return {}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, KnownTrainer]:
    """Trainers by name; two cores, and no GPU."""
    trainers: dict[str, KnownTrainer] = {}

    @contextmanager
    def opened(name: str, setting: LoadingSetting) -> Iterator[KnownTrainer]:
        if name not in trainers:
            raise NotImplementedError("ElasticTransform does not run on the device yet")
        yield trainers[name]

    monkeypatch.setattr(loading_run, "opened", opened)
    monkeypatch.setattr(loading_run, "available_cores", lambda: 2)
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    monkeypatch.delenv("nnUNet_n_proc_DA", raising=False)
    return trainers


def setting(**changes: Any) -> LoadingSetting:
    content = plans(SMALL)
    del content["continue_training"]
    return replace(LoadingSetting(content, "test", dataset_json(), "cpu", 0, 5), **changes)


def test_a_slow_loader_starves_the_device_whatever_the_queue_held(known: dict[str, KnownTrainer]) -> None:
    known["nnUNetTrainer"] = KnownTrainer(step=0.01, batch=0.08)
    rows = measure_loading("nnUNetTrainer", setting())
    assert [row.workers for row in rows] == [0, 1, 2]
    for row in rows:
        assert 0.01 <= row.step_seconds < 0.08
        # One batch of six out of the queue's stock would make 0.067; a clock started late takes a millisecond away.
        assert row.batch_seconds > 0.073
        assert row.waits > 0.5
    inline, one, two = (row.iteration_seconds for row in rows)
    assert inline >= 0.09
    assert one > 0.065
    assert two < inline


def test_a_fast_loader_has_filled_its_queue_before_anything_counts(known: dict[str, KnownTrainer]) -> None:
    trainer = known["nnUNetTrainer"] = KnownTrainer(step=0.05, batch=0.001)
    with loading_run.loading(trainer, 1) as loader:
        loading_run.settle(trainer, loader)
        assert loader._queue.full()
    row = measure_loading("nnUNetTrainer", setting())[-1]
    assert row.workers == 1
    assert row.waits < 0.3
    assert row.workers_needed == 1
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("steps", [3, 8, 14, 17])
def test_ctrl_c_leaves_no_worker(known: dict[str, KnownTrainer], steps: int) -> None:
    known["nnUNetTrainer"] = KnownTrainer(step=0, batch=0.01, stops_after=steps)
    with pytest.raises(KeyboardInterrupt):
        measure_loading("nnUNetTrainer", setting())
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_case_names_the_cure(known: dict[str, KnownTrainer], workers: int) -> None:
    trainer = KnownTrainer(step=0, batch=0, damaged=True)
    wanted = r"loader failed on /preprocessed/.*fullres with .*nnUNetv2_preprocess -d 4 -plans_name nnUNetPlans -c 3d_"
    with pytest.raises(RuntimeError, match=wanted), workers_ended(), loading_run.loading(trainer, workers):
        raise AssertionError("the loaders started")
    assert multiprocessing.active_children() == []


def test_the_environment_says_how_many_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("nnUNet_n_proc_DA", raising=False)
    assert (first_counts("cuda"), first_counts("cpu")) == ([8], [0, 1])
    monkeypatch.setenv("nnUNet_n_proc_DA", "3")
    assert (first_counts("cuda"), first_counts("cpu")) == ([3], [0, 1, 3])


def test_the_table_the_advice_and_json_agree(known: dict[str, KnownTrainer]) -> None:
    known["nnUNetTrainer"] = KnownTrainer(step=0.005, batch=0.05)
    known["nnUNetTrainer_gpuaug"] = KnownTrainer(step=0.01, batch=0)
    content = dataloading(["nnUNetTrainer", "nnUNetTrainer_gpuaug"], setting(iterations=2))
    assert json.loads(json.dumps(content)) == content
    assert {row["trainer"] for row in content["rows"]} == set(known)
    [advice] = content["recommended"]
    assert advice["trainer"] == "nnUNetTrainer_gpuaug"
    command = f"nnUNet_n_proc_DA={advice['workers']} nnUNetv2_train 998 test 0 -tr nnUNetTrainer_gpuaug -device cpu"
    assert advice["command"] == command
    text = dataloading_text(content)
    assert content["header"]["machine"] in text
    assert f"Recommended: {command}\n    {advice['reason']}" in text
    assert text.count("\nnnUNetTrainer") == len(content["rows"])


def test_transforms_that_do_not_run_on_the_device_are_said(known: dict[str, KnownTrainer]) -> None:
    known["nnUNetTrainer"] = KnownTrainer(step=0.001, batch=0.001)
    content = dataloading(["nnUNetTrainer"], setting(iterations=1))
    assert {row["trainer"] for row in content["rows"]} == {"nnUNetTrainer"}
    assert content["notes"] == [
        "nnUNetTrainer was measured with augmentation in the workers only: ElasticTransform "
        "does not run on the device yet."
    ]
    assert content["notes"][0] in dataloading_text(content)


def test_a_trainer_without_gpuaug_is_measured_as_it_is(known: dict[str, KnownTrainer]) -> None:
    known["nnUNetTrainerNoMirroring"] = KnownTrainer(step=0.001, batch=0.001)  # one of nnU-Net's own
    content = dataloading(["nnUNetTrainerNoMirroring"], setting(iterations=1))
    assert content["notes"][0].endswith("there is no nnUNetTrainerNoMirroring_gpuaug.")


@pytest.mark.parametrize(
    ("trainer", "change", "words"),
    [
        ("nnUNetTrainer", {"iterations": 0}, "--iterations 0"),
        ("nnUNetTrainerNobody", {}, "nnUNetTrainerNobody"),
        ("nnUNetTrainer", {"configuration": "high"}, "-c low"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, trainer: str, change: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(module, "measure_loading", lambda name, setting: pytest.fail("measured"))
    subject = setting(**change)
    subject.plans["configurations"]["low"] = {"inherits_from": "test", "next_stage": "high"}
    subject.plans["configurations"]["high"] = {"inherits_from": "test", "previous_stage": "low"}
    with pytest.raises(ValueError, match=words):
        dataloading([trainer], subject)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_error_names_the_cure() -> None:
    with pytest.raises(ValueError, match="-device cpu"):
        dataloading(["nnUNetTrainer"], setting(device="cuda"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dataloading", "--runs", "3"], "--runs is not for --dataloading"),
        (["-f", "0"], "-f 0 belongs to --dataloading"),
        (["--iterations", "7"], "--iterations 7 belongs to --dataloading"),
        (["--dataloading"], "nnUNetv2_preprocess -d 998 -plans_name nnUNetPlans -c test"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, options: list[str], words: str
) -> None:
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("nnUNet_extTrainer", "")
    folder = tmp_path / "Dataset998_Test"
    folder.mkdir()
    (folder / "nnUNetPlans.json").write_text(json.dumps(setting().plans))
    (folder / "dataset.json").write_text(json.dumps(dataset_json()))
    assert main(["profile", "-d", "998", "-c", "test", "-device", "cpu", *options]) == 2
    assert words in capsys.readouterr().err
