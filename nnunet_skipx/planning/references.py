"""Elements of the maps of one sample at which a network takes the memory of nnU-Net's 8 GB plan.

nnU-Net's planner holds the elements of a network's maps (`compute_conv_feature_map_size`) against a reference value:
that of a network which, at nnU-Net's reference batch size (12 in 2D, 2 in 3D), takes the memory of the 8 GB plan. Its
values hold for the PlainConvUNet. For another network it is the number of elements at which the predicted memory of a
training step on a GPU is that of the PlainConvUNet at nnU-Net's value. Memory is taken to be weights, the optimiser's
state and the context, plus so many bytes per element; of several shapes of plans the smallest value counts.

A network declares its values (`vram_reference`), or they are found out when it is planned for the first time.
"""

import sys
from dataclasses import replace
from pathlib import Path

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.counting import built_to_count
from nnunet_skipx.planning.made_up_plans import Shape, setting
from nnunet_skipx.planning.networks import architecture_of, trainer_of
from nnunet_skipx.planning.spelling import STOCK
from nnunet_skipx.planning.training_memory import training_memory
from nnunet_skipx.system.cache import cache_folder, state_of_the_package
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.json_files import integer, read_json, record, text

STOCK_REFERENCE = (85_000_000, 560_000_000)  # nnU-Net's own, in 2D and in 3D
SHAPES = (
    (Shape((512, 512), (1, 1), 8, 12, features=32),),
    (
        Shape((128, 128, 128), (1, 1, 1), 6, 2, features=32),
        Shape((32, 224, 192), (3, 0.8, 0.8), 6, 2, features=32),
    ),
)

KEPT = record({"made from": text, "2d": integer(1, 10**15), "3d": integer(1, 10**15)})


def reference_of(architecture: str) -> tuple[int, int]:
    """The values of a network in 2D and in 3D: nnU-Net's, declared, remembered or predicted now (seconds)."""
    if architecture == STOCK:
        return STOCK_REFERENCE
    declared = NETWORKS[architecture].vram_reference
    return remembered_reference(architecture) if declared is None else declared


def remembered_reference(architecture: str) -> tuple[int, int]:
    """The predicted values; the user's cache keeps them until a file of this package or torch changes."""
    path, made_from = cache_folder() / f"vram_reference_{architecture}.json", state_of_the_package()
    if found := kept_reference(path, made_from):
        return found
    print(f"finding out how much memory {architecture} takes, which is done once", file=sys.stderr)
    in_2d, in_3d = predicted_reference(architecture)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"made from": made_from, "2d": in_2d, "3d": in_3d})
    except OSError as error:  # a home that cannot be written to costs seconds, not the plans
        print(f"it is not kept for next time: {error}", file=sys.stderr)
    return in_2d, in_3d


def kept_reference(path: Path, made_from: str) -> tuple[int, int] | None:
    """The values in a file of the cache; None where there is none, or one made from other files."""
    try:
        known = read_json(path, KEPT)
    except (OSError, ValueError):  # a cache is made again, not mended
        return None
    return (known["2d"], known["3d"]) if known["made from"] == made_from else None


def predicted_reference(architecture: str) -> tuple[int, int]:
    """The values of one of our networks in 2D and in 3D, in whole millions."""
    in_2d, in_3d = (
        round(min(elements_with_memory_of_stock(architecture, shape, stock) for shape in shapes) / 1e6) * 1_000_000
        for shapes, stock in zip(SHAPES, STOCK_REFERENCE, strict=True)
    )
    return in_2d, in_3d


def elements_with_memory_of_stock(architecture: str, shape: Shape, stock_reference: int) -> float:
    """Elements at which the architecture takes what the PlainConvUNet takes at nnU-Net's reference value."""
    stock, stock_peak, stock_fixed = elements_and_memory(STOCK, shape)
    budget = stock_fixed + (stock_peak - stock_fixed) * stock_reference / stock
    elements, peak, fixed = elements_and_memory(architecture, shape)
    return elements * (budget - fixed) / (peak - fixed)


def elements_and_memory(architecture: str, shape: Shape) -> tuple[int, int, int]:
    """Elements of one sample's maps, bytes at the peak of a step, and those that do not depend on the patch."""
    order = replace(setting(shape), device="cuda")
    configuration = order.plans["configurations"]["memory"]
    configuration["architecture"] = architecture_of(architecture, configuration)
    manager = PlansManager(order.plans)
    with built_to_count():
        network = nnUNetTrainer.build_network_architecture(
            manager, manager.get_configuration("memory"), shape.channels, shape.classes, enable_deep_supervision=False
        )
    memory = training_memory(trainer_of(architecture), order)
    return int(network.compute_conv_feature_map_size(shape.patch)), memory.peak, memory.fixed
