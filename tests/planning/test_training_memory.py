"""The predicted memory of a training step: its parts, its order, and what is measured."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from benchmarks.memory_prediction import AIM, SHAPES, TRAINERS, measure
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.planning.made_up_plans import Shape, setting
from nnunet_skipx.planning.parts import BATCH, LOSS, OPTIMISER, WEIGHTS
from nnunet_skipx.planning.training_memory import CONTEXT, TrainingMemory, training_memory
from nnunet_skipx.profiling.cost import inference_network, network_cost
from nnunet_skipx.profiling.measure import in_fresh_process, memory_is_measurable

SMALL = Shape((32, 32, 32), (1, 1, 1), 3, 2, features=4)


def predicted(name: str, shape: Shape, device: str = "cpu") -> TrainingMemory:
    return training_memory(find_trainer(f"nnUNetTrainer{name}"), replace(setting(shape), device=device))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.slow
def test_the_fixed_parts_are_those_of_the_network(name: str, device: str) -> None:
    memory = predicted(name, SMALL, device)
    order = setting(SMALL)
    cost = network_cost(f"nnUNetTrainer{name}", order.plans, order.configuration, order.dataset_json)
    with torch.device("meta"):
        network, _ = inference_network(
            find_trainer(f"nnUNetTrainer{name}"), order.plans, order.configuration, order.dataset_json
        )
    buffers = sum(b.numel() * b.element_size() for b in network.buffers())  # running means over images
    blocks = 512 * 3000 if device == "cuda" else 0  # at most one block for each of its tensors
    assert 4 * cost.parameters + buffers <= memory.parts[WEIGHTS] <= 4 * cost.parameters + buffers + blocks
    assert memory.parts[OPTIMISER] >= 4 * cost.parameters
    assert memory.parts[BATCH] >= 2 * 32**3 * (4 + 2)  # the image, and labels of two bytes
    assert (CONTEXT in memory.parts) == (device == "cuda")
    assert memory.peak == sum(memory.parts.values())
    assert (memory.patch_size, memory.batch_size) == ((32, 32, 32), 2)


def test_maps_take_half_on_a_gpu() -> None:
    shape = replace(SMALL, features=32)
    cpu, gpu = (predicted("", shape, device).parts["encoder stage 0"] for device in ("cpu", "cuda"))
    assert 0.5 <= gpu / cpu < 0.52


@pytest.mark.parametrize("name", ["", "UTANet"])
@pytest.mark.slow
def test_more_needs_more(name: str) -> None:
    shapes: list[Callable[[int], Shape]] = [
        lambda n: replace(SMALL, batch=n + 1),
        lambda n: replace(SMALL, patch=(16 * n + 16, 32, 32)),
        lambda n: replace(SMALL, features=4 * n),
        lambda n: replace(SMALL, channels=4 * n),
    ]
    for shape in shapes:
        peaks = [predicted(name, shape(n), "cuda").peak for n in (1, 2)]
        assert peaks == sorted(set(peaks))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_regions_and_an_ignore_label_are_predicted_too(device: str) -> None:
    order = replace(setting(SMALL), device=device)
    labels = {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}
    content = {**order.dataset_json, "labels": labels, "regions_class_order": [1, 2]}
    for one in (content, {**order.dataset_json, "labels": {"background": 0, "organ": 1, "ignore": 2}}):
        memory = training_memory(find_trainer("nnUNetTrainer"), Setting(order.plans, "memory", one, device))
        assert LOSS in memory.parts


@pytest.mark.slow
@pytest.mark.skipif(not memory_is_measurable(), reason="this system does not tell a process its peak")
@pytest.mark.parametrize("name", ["", "UTANet", "UDTransNet"])  # benchmarks/memory_prediction.py: all, on five shapes
def test_the_prediction_is_what_is_measured(name: str) -> None:
    shape = replace(SHAPES["3D isotropic"], patch=(48, 64, 48), stages=4)
    measured = in_fresh_process(measure, f"nnUNetTrainer{name}", setting(shape), 1)
    assert predicted(name, shape).peak / 2**20 == pytest.approx(measured, rel=AIM)
