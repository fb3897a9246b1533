"""Forward and backward of every network on fake CUDA tensors, which need neither GPU nor memory."""

import functools
from math import prod
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.recorder import CUDA, Recorder
from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.counting import built_to_count
from nnunet_skipx.planning.half_precision import autocast_as_on_a_gpu, run_backward
from nnunet_skipx.planning.made_up_plans import Shape, setting
from nnunet_skipx.planning.training_memory import _make_weights
from nnunet_skipx.training.variants import trainer_class

SIZES = {  # as nnU-Net plans for a GPU
    "3d": Shape((128, 128, 128), (1, 1, 1), 6, 2, features=32),
    "2d": Shape((512, 512), (1, 1), 8, 12, features=32),
}
STOCK = "PlainConvUNet"  # of nnUNetTrainer itself


def variants() -> list[str]:
    """Every trainer with each of its own options; names without `nnUNetTrainer`. Twins launch parts of that."""
    names = []
    for trainer in NETWORKS:
        base: Any = trainer_class(f"nnUNetTrainer{trainer}")
        names += [trainer, *(f"{trainer}_{option}" for option in base.own_options)]
    return names


def record_step(name: str, size: str) -> Recorder:
    """Forward and backward of a variant's network, not compiled, under float16 autocast; loss and optimiser apart."""
    shape = SIZES[size]
    planned = setting(shape)
    manager = PlansManager(planned.plans)
    trainer: Any = nnUNetTrainer if name == STOCK else trainer_class(f"nnUNetTrainer{name}")
    with built_to_count():
        network = trainer.build_network_architecture(
            manager, manager.get_configuration(planned.configuration), 1, 3, True
        ).train()
    with FakeTensorMode(), Recorder(shape.batch * prod(shape.patch)) as recorder, autocast_as_on_a_gpu():
        _make_weights(network, CUDA)
        image = torch.empty(shape.batch, 1, *shape.patch, device=CUDA)
        recorder.forget()
        with torch.autocast("cuda"):
            logits = network(image)
        run_backward(*logits)
    return recorder


recorded_step = functools.cache(record_step)
