"""`_fast` trains as its trainer does: losses, weights, online Dice and logs agree, compiled or not."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.planning.half_precision import autocast_as_on_a_gpu, run_backward
from nnunet_skipx.planning.storages import StorageTracker
from nnunet_skipx.planning.training_memory import _make_weights
from nnunet_skipx.training.memory_layout import FORMATS, instance_norm, lay_out_channels_last
from nnunet_skipx.training.options.unawaited import Ahead, on_host
from nnunet_skipx.training.variants import trainer_class
from tests.contract import SMALL
from tests.plan_shapes import PlanShape, dataset_json, plans
from tests.training.small_trainer import make

TRAINERS = [f"nnUNetTrainer{network}" for network in ("", *NETWORKS)]
CUDA = torch.device("cuda")
WITH_REGIONS = {"background": 0, "whole": [1, 2], "core": 2}
WITH_IGNORED = {"background": 0, "a": 1, "b": 2, "ignore": 3}
WITH_BOTH = {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}


def started(name: str, shape: PlanShape = SMALL) -> nnUNetTrainer:
    """The trainer, about to train; its weights are always the same."""
    trainer = make(name, shape)
    trainer.initialize()
    trainer.on_train_epoch_start()
    return trainer


def batch(seed: int, labels: int = 3, shape: PlanShape = SMALL) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, labels, (2, 1, *shape.patch), generator=generator).float()
    data = torch.randn(2, 1, *shape.patch, generator=generator) + target
    half = (slice(None), slice(None), *[slice(None, None, 2)] * len(shape.patch))
    return {"data": data, "target": [target, target[half]]}


def losses(trainer: nnUNetTrainer, steps: int, shape: PlanShape = SMALL) -> np.ndarray:
    torch.manual_seed(1)  # dropout
    return np.array([float(trainer.train_step(batch(step % 10, shape=shape))["loss"]) for step in range(steps)])


@pytest.mark.slow
def test_a_hundred_steps_have_the_losses_of_the_plain_trainer(folders: Path) -> None:
    plain, fast = (losses(started(name), 100) for name in ("nnUNetTrainer", "nnUNetTrainer_fast"))
    assert plain[-10:].mean() < plain[:10].mean() - 0.1, "it learns, or equality says little"
    np.testing.assert_allclose(fast, plain, atol=1e-5)


@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.slow
def test_in_double_precision_no_network_trains_otherwise(folders: Path, name: str) -> None:
    """In float32 the last digit of a fused optimiser's sums grows to 1e-4 within 100 steps where gates choose."""
    values = []
    for variant in (name, f"{name}_fast"):
        trainer = started(variant)
        trainer.network.double()
        values.append(losses_in_double(trainer, 6))
    np.testing.assert_allclose(*values, rtol=1e-9)


def losses_in_double(trainer: nnUNetTrainer, steps: int) -> np.ndarray:
    torch.manual_seed(1)
    batches = [batch(step) for step in range(steps)]
    return np.array([float(trainer.train_step({**b, "data": b["data"].double()})["loss"]) for b in batches])


@pytest.mark.parametrize("options", ["adamw", "bf16", "gpuaug", "demo"])
def test_so_do_steps_with_other_options(folders: Path, options: str) -> None:
    names = [f"nnUNetTrainerUTANet_{options}", f"nnUNetTrainerUTANet_{options}_fast"]
    plain, fast = (losses(started(name), 10) for name in names)
    np.testing.assert_allclose(fast, plain, atol=1e-5)


def test_with_a_grad_scaler_too(folders: Path) -> None:
    weights = []
    for name in ("nnUNetTrainerXUNet", "nnUNetTrainerXUNet_fast"):
        trainer = started(name)
        trainer.grad_scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        losses(trainer, 10)
        weights.append(torch.cat([p.detach().flatten() for p in trainer.network.parameters()]))
    torch.testing.assert_close(*weights, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("labels", [None, WITH_REGIONS, WITH_IGNORED, WITH_BOTH])
def test_validation_counts_what_nnunet_counts(folders: Path, labels: dict[str, Any] | None) -> None:
    content = dataset_json()
    order = {}
    if labels is not None:
        content["labels"] = labels
        order = {"regions_class_order": [1, 2]} if "whole" in labels else {}
    outputs = []
    for name in ("nnUNetTrainer", "nnUNetTrainer_fast"):
        trainer = make(name, content={**content, **order})
        trainer.initialize()
        with torch.no_grad():
            trainer.on_validation_epoch_start()
            steps = [trainer.validation_step(validation_batch(seed, labels)) for seed in range(3)]
            outputs.append(on_host(steps) if name.endswith("fast") else steps)
            trainer.on_validation_epoch_end(steps)
        outputs[-1].append({"dice": np.array(trainer.logger.get_value("dice_per_class_or_region", -1))})
    for ours, theirs in zip(*outputs, strict=True):
        assert ours.keys() == theirs.keys()
        for key in ours:
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-5)


def validation_batch(seed: int, labels: dict[str, Any] | None) -> dict[str, Any]:
    content = batch(seed, labels=3 if labels is None or "ignore" not in labels else 4)
    if labels is None or "whole" not in labels:
        return content
    regions = [lambda t: t > 0, lambda t: t == 2, *([lambda t: t == 3] if "ignore" in labels else [])]
    content["target"] = [torch.cat([region(t) for region in regions], 1) for t in content["target"]]
    return content


def test_an_epoch_is_logged_as_nnunet_logs_it(folders: Path) -> None:
    values = []
    for name in ("nnUNetTrainerUTANet", "nnUNetTrainerUTANet_fast"):
        trainer = started(name)
        torch.manual_seed(1)
        trainer.on_train_epoch_end([trainer.train_step(batch(step)) for step in range(3)])
        values.append([trainer.logger.get_value(key, -1) for key in ("train_losses", "balance_losses")])
    np.testing.assert_allclose(*values, atol=1e-5)


def test_the_loss_stays_where_it_was_computed(folders: Path) -> None:
    loss = started("nnUNetTrainerXUNet_fast").train_step(batch(0))["loss"]
    assert isinstance(loss, torch.Tensor)
    assert not loss.requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("norm", [nn.InstanceNorm2d(5, affine=True), nn.InstanceNorm3d(5)])
def test_the_written_out_norm_is_torchs(norm: nn.Module, dtype: torch.dtype) -> None:
    norm = norm.to(torch.float64 if dtype == torch.float64 else torch.float32)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    shape = (2, 5, 6, 7) if isinstance(norm, nn.InstanceNorm2d) else (2, 5, 4, 6, 7)
    x = (3 + torch.randn(shape)).to(dtype).contiguous(memory_format=FORMATS[len(shape)])
    y = instance_norm(norm, x)
    assert y.is_contiguous(memory_format=FORMATS[len(shape)])
    wanted = norm(x.to(torch.promote_types(dtype, torch.float32)))
    torch.testing.assert_close(y, wanted.to(dtype), atol=2e-3 if dtype == torch.float16 else 1e-5, rtol=1e-3)


class Orders(TorchDispatchMode):
    """Counts the convolutions whose input, kernel and output are channels last, and the others."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.others = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        y = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in ("convolution", "depthwise"):
            ordered = all(x.is_contiguous(memory_format=FORMATS[x.ndim]) for x in (args[0], args[1], y))
            self.last += ordered
            self.others += not ordered
        return y


# What mechanisms hand to the decoder in the other order (UCTransNet also two maps of tokens, which are small), and
# kernels that XUNet and MSA-UNet compute from others.
OTHERS = {"nnUNetTrainerUTANet": 3, "nnUNetTrainerXUNet": 2, "nnUNetTrainerUDTransNet": 2, "nnUNetTrainerMSAUNet": 1}
OTHERS |= {"nnUNetTrainerUCTransNet": 4}


@pytest.mark.parametrize("patch", [(32, 32, 32), (64, 64)])
@pytest.mark.parametrize("name", TRAINERS)
def test_convolutions_of_a_laid_out_network_get_channels_last(name: str, patch: tuple[int, ...]) -> None:
    shape = PlanShape(patch, (1,) * len(patch), 3, features=8)  # a map of one channel would have no order to keep
    manager = PlansManager(plans(shape))
    trainer = nnUNetTrainer if name == "nnUNetTrainer" else trainer_class(name)
    with torch.device("meta"):
        network = trainer.build_network_architecture(manager, manager.get_configuration("test"), 1, 3, True).train()
    with FakeTensorMode(), Orders() as orders, StorageTracker(CUDA), autocast_as_on_a_gpu(), torch.autocast("cuda"):
        _make_weights(network, CUDA)
        lay_out_channels_last(network)
        network(torch.empty(2, 1, *patch, device=CUDA))
    assert orders.others <= OTHERS.get(name, 0)
    assert orders.last >= 11


def test_torchs_own_norm_would_break_the_order() -> None:
    x = torch.randn(2, 4, 6, 6, 6).contiguous(memory_format=torch.channels_last_3d)
    assert not nn.InstanceNorm3d(4)(x).is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.slow
def test_compiled_in_channels_last_it_trains_as_the_plain_trainer(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = PlanShape((16, 16), (1, 1), 2)
    plain = losses(started("nnUNetTrainer", flat), 5, flat)
    monkeypatch.setattr(nnUNetTrainer, "_do_i_compile", lambda self: True)  # nnU-Net does not on the CPU
    trainer = started("nnUNetTrainer_fast", flat)
    kernels = [module.weight for module in trainer.network.modules() if isinstance(module, nn.Conv2d)]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    np.testing.assert_allclose(losses(trainer, 5, flat), plain, atol=1e-5)


class Reads(TorchDispatchMode):
    """Notes what brings values of the device to the host."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name, device = func.overloadpacket.__name__, (kwargs or {}).get("device")
        from_device = any(isinstance(x, torch.Tensor) and x.device.type == "cuda" for x in args)
        if from_device and (name in ("_local_scalar_dense", "nonzero", "equal") or device == torch.device("cpu")):
            self.found.append(name)
        if name == "_fused_sgd_":  # in place; torch has none for fake tensors
            return None
        return func(*args, **(kwargs or {}))


def reads_of(name: str, with_scaler: bool) -> list[str]:
    """What a step on fake CUDA tensors reads, up to the first value that only a real tensor has."""
    trainer = started(name)
    trainer.device = CUDA
    trainer.__dict__["ahead"] = Ahead(torch.device("cpu"))  # events need a real GPU
    backward = pytest.MonkeyPatch.context()
    with FakeTensorMode(), StorageTracker(CUDA), autocast_as_on_a_gpu(), Reads() as reads, backward as patch:
        patch.setattr(torch.Tensor, "backward", run_backward)
        _make_weights(trainer.network, CUDA)
        trainer.optimizer, _ = trainer.configure_optimizers()
        trainer.grad_scaler = torch.amp.GradScaler("cpu") if with_scaler else None
        targets = [torch.empty(2, 1, *(n // part for n in SMALL.patch), device=CUDA) for part in (1, 2)]
        with suppress(RuntimeError):
            trainer.train_step({"data": torch.empty(2, 1, *SMALL.patch, device=CUDA), "target": targets})
            reads.found.append("the step ended")
    return reads.found


@pytest.mark.parametrize("with_scaler", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TRAINERS)
def test_a_step_does_not_wait_for_a_gpu(folders: Path, name: str, with_scaler: bool) -> None:
    assert reads_of(f"{name}_fast", with_scaler) == ["the step ended"]


@pytest.mark.parametrize("with_scaler", [True, False])
def test_nnunets_own_step_does(folders: Path, with_scaler: bool) -> None:
    assert reads_of("nnUNetTrainer", with_scaler)[0] in ("_local_scalar_dense", "_to_copy")
