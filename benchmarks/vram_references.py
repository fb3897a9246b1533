"""The reference values of nnunet_skipx/planning/references.py: how large a network takes as much memory as nnU-Net's.

    python -m benchmarks.vram_references

nnU-Net's planner holds the elements of a network's maps (`compute_conv_feature_map_size`) against a reference value:
that of a network which, at nnU-Net's reference batch size, takes the memory of the 8 GB plan. Its values hold for the
PlainConvUNet. For another architecture this script finds the number of elements at which the predicted memory of a
training step on a GPU is that of the PlainConvUNet at nnU-Net's value. Memory is taken to be weights, the optimiser's
state and the context, plus so many bytes per element; of several shapes of plans the smallest value counts.
"""

from dataclasses import replace

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from benchmarks.memory_prediction import Shape, setting
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.planning.planner import architecture_of, trainer_of
from nnunet_skipx.planning.references import REFERENCES
from nnunet_skipx.planning.training_memory import training_memory

SHAPES = {
    "2d": [Shape((512, 512), (1, 1), 8, 12, features=32)],
    "3d": [
        Shape((128, 128, 128), (1, 1, 1), 6, 2, features=32),
        Shape((32, 224, 192), (3, 0.8, 0.8), 6, 2, features=32),
    ],
}


def elements_and_memory(architecture: str, shape: Shape) -> tuple[int, int, int]:
    """Elements of one sample's maps, bytes at the peak of a step, and those that do not depend on the patch."""
    order = replace(setting(shape), device="cuda")
    configuration = order.plans["configurations"]["memory"]
    configuration["architecture"] = architecture_of(architecture, configuration)
    manager = PlansManager(order.plans).get_configuration("memory")
    with torch.device("meta"):
        network = nnUNetTrainer.build_network_architecture(
            PlansManager(order.plans), manager, shape.channels, shape.classes, enable_deep_supervision=False
        )
    memory = training_memory(trainer_of(architecture), order)
    return int(network.compute_conv_feature_map_size(shape.patch)), memory.peak, memory.fixed


def reference(architecture: str, dimension: str, shape: Shape) -> float:
    """Elements at which the architecture takes what the PlainConvUNet takes at nnU-Net's reference value."""
    stock, stock_peak, stock_fixed = elements_and_memory("PlainConvUNet", shape)
    budget = stock_fixed + (stock_peak - stock_fixed) * REFERENCES["PlainConvUNet"][dimension] / stock
    elements, peak, fixed = elements_and_memory(architecture, shape)
    return elements * (budget - fixed) / (peak - fixed)


def main() -> None:
    append_to_environment()
    for architecture in REFERENCES:
        if architecture == "PlainConvUNet":
            continue
        values = {
            dimension: round(min(reference(architecture, dimension, shape) for shape in shapes) / 1e6) * 1_000_000
            for dimension, shapes in SHAPES.items()
        }
        print(f'    "{architecture}": {{"2d": {values["2d"]:_}, "3d": {values["3d"]:_}}},', flush=True)


if __name__ == "__main__":
    main()
