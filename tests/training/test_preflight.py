"""Before the workers start, a step on zeros shows whether memory and compiler are up to the training."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import blur_dimension
from torch._dynamo import OptimizedModule
from torch._inductor.runtime.cache_dir_utils import cache_dir

from nnunet_skipx.training.grammar import trainer_names
from nnunet_skipx.training.preflight import preflight
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.variants import trainer_class
from tests.contract import SMALL
from tests.forking.fixture import ForkServer
from tests.plan_shapes import PlanShape, dataset_json, plans
from tests.training.small_trainer import make

REGIONS = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3},
    "regions_class_order": [1, 2],
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


def ready(name: str) -> SkipTrainer:
    """An initialised trainer; needs conftest's `folders`."""
    trainer = make(name)
    assert isinstance(trainer, SkipTrainer)
    trainer.initialize()
    return trainer


def everything(trainer: SkipTrainer) -> list[torch.Tensor]:
    return [tensor.detach().clone() for tensor in (*trainer.network.parameters(), *trainer.network.buffers())]


@pytest.mark.parametrize("name", [name for name in trainer_names() if not name.endswith("Universal")])
def test_it_leaves_no_trace(folders: Path, name: str) -> None:
    trainer = ready(name)
    before, numbers = everything(trainer), torch.get_rng_state()
    modes = [module.training for module in trainer.network.modules()]
    passes: list[bool] = []
    trainer.network.register_forward_hook(lambda network, inputs, outputs: passes.append(network.training))
    trainer.preflight()
    assert passes == [True], "one pass, as in training"
    assert all(torch.equal(one, other) for one, other in zip(before, everything(trainer), strict=True))
    assert all(parameter.grad is None for parameter in trainer.network.parameters())
    assert modes == [module.training for module in trainer.network.modules()]
    assert torch.equal(numbers, torch.get_rng_state())


def test_statistics_of_batch_norm_stay_as_they_were(folders: Path) -> None:
    trainer = trainer_class("nnUNetTrainerXUNet")(
        plans(SMALL, norm="batch"), "test", 0, dataset_json(), torch.device("cpu")
    )
    trainer.initialize()
    before = {name: buffer.clone() for name, buffer in trainer.network.named_buffers()}
    assert before
    preflight(trainer)
    assert all(torch.equal(before[name], buffer) for name, buffer in trainer.network.named_buffers())


def test_the_experts_usage_of_the_first_epoch_is_the_epochs_own(folders: Path) -> None:
    trainer = ready("nnUNetTrainerUTANet")
    trainer.preflight()
    assert not trainer.loss.balance_losses
    assert not trainer.loss.selections


def test_regions_with_an_ignore_label_pass(folders: Path) -> None:
    trainer = trainer_class("nnUNetTrainerUTANet")(plans(SMALL), "test", 0, REGIONS, torch.device("cpu"))
    trainer.initialize()
    preflight(trainer)


def test_what_cannot_be_compiled_is_trained_uncompiled_with_one_line(folders: Path) -> None:
    def without_triton(graph: torch.fx.GraphModule, inputs: list) -> Any:
        raise RuntimeError("Cannot find a working triton installation.")

    trainer = ready("nnUNetTrainerUTANet")
    trainer.network = torch.compile(trainer.network, backend=without_triton)
    trainer.preflight()
    assert not isinstance(trainer.network, OptimizedModule)
    lines = [line for line in Path(trainer.log_file).read_text().splitlines() if "torch.compile failed" in line]
    assert len(lines) == 1
    assert "working triton" in lines[0]


def test_the_log_says_that_the_network_is_being_compiled_and_when_that_was_done(folders: Path) -> None:
    trainer = ready("nnUNetTrainerXUNet")
    trainer.preflight()
    trainer.network = torch.compile(trainer.network, backend="eager")
    trainer.preflight()
    lines = Path(trainer.log_file).read_text().splitlines()
    before, after = [line for line in lines if "Compiling" in line or "First step" in line]
    assert "Compiling, about 150 s" in before
    assert cache_dir() in before
    assert "First step after" in after


def test_an_error_of_the_network_comes_up_as_itself_before_any_worker_starts(folders: Path) -> None:
    trainer = ready("nnUNetTrainerUTANet")
    trainer.network.encoder.forward = broken
    trainer.get_dataloaders = lambda: pytest.fail("workers were started")
    with pytest.raises(ZeroDivisionError):
        trainer.on_train_start()


def test_bf16_is_tried_in_bfloat16(folders: Path) -> None:
    trainer = ready("nnUNetTrainerUTANet_bf16")
    seen: list[torch.dtype] = []
    trainer.network.register_forward_hook(lambda *unused: seen.append(torch.get_autocast_dtype("cpu")))
    trainer.get_dataloaders = broken
    before = torch.get_autocast_dtype("cpu")
    torch.set_autocast_dtype("cpu", torch.float16)
    try:
        with pytest.raises(ZeroDivisionError):
            trainer.on_train_start()
    finally:
        torch.set_autocast_dtype("cpu", before)
    assert seen == [torch.bfloat16]


def broken(*unused: object) -> None:
    raise ZeroDivisionError


TOO_LITTLE = """
import resource
import torch
from nnunet_skipx.training.variants import trainer_class
from tests.plan_shapes import PlanShape
from tests.plan_shapes import dataset_json
from tests.plan_shapes import plans
trainer = trainer_class("nnUNetTrainerUTANet")(
    plans(PlanShape((64, 64, 64), (1, 1, 1), 4, features=16)), "test", 0, dataset_json(), torch.device("cpu"))
trainer.initialize()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 150 * 2**20,) * 2)
trainer.get_dataloaders = lambda: print("workers were started")
trainer.on_train_start()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.slow
def test_memory_that_runs_out_is_told_with_patch_batch_and_cure(folders: Path, forks: ForkServer) -> None:
    result = forks.run("-c", TOO_LITTLE, check=False)
    assert result.returncode == 1
    assert (
        "the memory of this machine is too small to train nnUNetTrainerUTANet on patches of 64x64x64, 2 in a batch"
        in result.stderr
    )
    assert "skipx plan -d Dataset998_Test -a UTANet --vram" in result.stderr
    assert "workers were started" not in result.stdout


@pytest.mark.parametrize(("length", "blurred"), [(1, False), (3, False), (4, True)])
def test_patches_that_workers_cannot_blur_are_told_before_they_start(folders: Path, length: int, blurred: bool) -> None:
    shape = PlanShape((length, 24, 16), (5, 1, 1), 3)
    workers, own = (make(f"nnUNetTrainerUTANet{option}", shape) for option in ("", "_gpuaug"))
    for trainer in (workers, own):
        trainer.initialize()
    own.preflight()
    if blurred:
        return workers.preflight()
    with pytest.raises(RuntimeError, match=rf"patches of {length}x24x16: .* an axis of {length} voxels\. Add _gpuaug"):
        workers.preflight()
    with pytest.raises(RuntimeError, match="Padding size should be less"):  # which is so
        blur_dimension(torch.zeros(1, length, 24, 16), 1.0, 0)
