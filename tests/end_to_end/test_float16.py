"""Training steps under float16 autocast on real data leave every network and loss finite: 100, of an option 40."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.demo.prepare import PLANS, prepare
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.system.files import write_json
from nnunet_skipx.training.declared import single_trainers
from nnunet_skipx.training.variants import trainer_class
from tests.forking.pools import few_voxels, forked_pools

DATA = Path(__file__).parents[3] / "shared" / "data" / "Task04_Hippocampus"
STEPS, STEPS_OF_OPTIONS = 100, 40
CONVOLUTIONS = ("convolution", "convolution_backward")
ONLY_WIDER = ("nnUNetTrainerUNet3Plus_published",)  # the same operations with eight times the channels take a minute


@pytest.fixture(scope="module")
def preprocessed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Some of Task04 in nnU-Net's folders, with plans for narrow networks, small patches and small batches."""
    if not DATA.is_dir():
        pytest.skip(f"no real data beside this checkout ({DATA})")
    before = dict(os.environ)
    workspace = Workspace(tmp_path_factory.mktemp("float16"))
    workspace.create()
    with forked_pools(), few_voxels(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("nnunet_skipx.demo.prepare.plan_and_preprocess", plan_here)
        dataset, _ = prepare(workspace, few_cases(workspace.folder))
    os.environ.update(nnUNet_n_proc_DA="0")  # workers inline; planning would crash with it
    folder = workspace.preprocessed / dataset
    plans = json.loads((folder / f"{PLANS}.json").read_text())
    plans["configurations"]["3d_fullres"] |= {"batch_size": 2, "patch_size": [16, 24, 16]}
    write_json(folder / f"{PLANS}.json", plans)
    yield folder
    os.environ.clear()
    os.environ.update(before)


def plan_here(_: Workspace, dataset: str) -> None:
    """What the demo runs as a command; fresh processes would import everything five times."""
    number = dataset_number(dataset)
    extract_fingerprints([number], num_processes=1)
    plan_experiments([number])
    preprocess([number], configurations=("3d_fullres",), num_processes=(1,))


def few_cases(folder: Path) -> Path:
    """Task04 with its first 40 cases, of 260; 100 small patches need no more."""
    content = json.loads((DATA / "dataset.json").read_text())
    content |= {"training": content["training"][:40], "numTraining": 40, "test": [], "numTest": 0}
    task = folder / DATA.name
    (task / "imagesTs").mkdir(parents=True)
    for name in (name for case in content["training"] for name in case.values()):
        (task / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DATA / name, task / name)
    write_json(task / "dataset.json", content)
    return task


@pytest.fixture(scope="module")
def batches(preprocessed: Path) -> list[dict[str, Any]]:
    """What the loaders of all these trainers give alike, augmented by nnU-Net."""
    training, _ = make(BASELINE, preprocessed).get_dataloaders()
    return [next(training) for _ in range(STEPS)]


@contextmanager
def convolutions_accumulate_in_float32() -> Iterator[None]:
    """float16 convolutions as a GPU computes them, rounded once at the end; the CPU's own take minutes per step."""
    library = torch.library.Library("aten", "IMPL")
    kernels = {name: torch.library.get_kernel(f"aten::{name}", "CPU") for name in CONVOLUTIONS}
    for name, kernel in kernels.items():
        library.impl(name, rounded_once(kernel), "CPU", with_keyset=True)
    try:
        yield
    finally:
        library._destroy()


def rounded_once(kernel: Any) -> Callable[..., Any]:
    """The kernel on float32 copies of float16 tensors, its results float16 again."""

    def compute(keys: Any, *arguments: Any) -> Any:
        tensors = [isinstance(x, torch.Tensor) for x in arguments]
        half = any(x.dtype == torch.float16 for x, is_tensor in zip(arguments, tensors, strict=True) if is_tensor)
        widened = [x.float() if is_tensor else x for x, is_tensor in zip(arguments, tensors, strict=True)]
        result = kernel.call_boxed(keys, *widened)
        if not half:
            return result
        return (
            result.half() if isinstance(result, torch.Tensor) else tuple(x if x is None else x.half() for x in result)
        )

    return compute


def variants() -> list[str]:
    """Every trainer of a single data set, and each with each of its own options."""
    own = {name: getattr(trainer_class(name), "own_options", {}) for name in single_trainers() if name != BASELINE}
    names = [name for trainer, options in own.items() for name in (trainer, *(f"{trainer}_{o}" for o in options))]
    return [name for name in names if name not in ONLY_WIDER]


def make(name: str, folder: Path) -> nnUNetTrainer:
    """The trainer in its `_demo` variant, which learns within a few steps; float16 as on CUDA, scaler included."""
    plans = json.loads((folder / f"{PLANS}.json").read_text())
    plans["continue_training"] = False
    dataset_json = json.loads((folder / "dataset.json").read_text())
    trainer = trainer_class(f"{name}_demo")(plans, "3d_fullres", 0, dataset_json, torch.device("cpu"))
    trainer.initialize()
    trainer.grad_scaler = torch.amp.GradScaler("cpu")
    forward = trainer.network.forward

    def autocast_forward(x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        with torch.autocast("cpu", dtype=torch.float16):
            return forward(x)

    trainer.network.forward = autocast_forward
    return trainer


def test_convolutions_keep_their_values_and_gradients() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(1, 64, 8, 8, 8).half(), torch.randn(4, 64, 3, 3, 3).half()

    def run(*inputs: torch.Tensor) -> list[torch.Tensor]:
        inputs = tuple(t.requires_grad_() for t in inputs)
        y = torch.nn.functional.conv3d(*inputs)
        return [y.detach(), *torch.autograd.grad(y.sum(), inputs)]

    exact = run(x.double(), weight.double())
    with convolutions_accumulate_in_float32():
        found = run(x.clone(), weight.clone())
    for ours, expected in zip(found, exact, strict=True):
        assert ours.dtype == torch.float16
        # Half a unit in the last place of float16, and what float32 sums leave where a sum is about 0.
        torch.testing.assert_close(ours.double(), expected, rtol=2**-11, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", variants())
def test_float16_autocast_stays_finite_on_real_data(
    preprocessed: Path, batches: list[dict[str, Any]], name: str
) -> None:
    trainer = make(name, preprocessed)
    steps = STEPS_OF_OPTIONS if "_" in name else STEPS
    trainer.network.train()
    with convolutions_accumulate_in_float32():
        losses = [float(trainer.train_step(dict(batch))["loss"]) for batch in batches[:steps]]
    assert all(torch.isfinite(torch.tensor(losses))), losses
    assert all(p.isfinite().all() for p in trainer.network.parameters())
    # A scaler that halves after every infinite gradient and never recovers would hide a broken backward.
    assert trainer.grad_scaler.get_scale() >= 2**12
    assert sum(losses[-20:]) < sum(losses[:20])
