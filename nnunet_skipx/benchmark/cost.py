"""What a network costs, counted without computing anything."""
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

# Products on the meta device for which torch's counter has no formula: it counts 0, without a word.
PRODUCTS = {f"aten.{name}" for name in ("mv", "addmv", "dot", "vdot", "addbmm", "_trilinear", "_cdist_forward")}


@dataclass(frozen=True)
class Cost:
    """Parameters, and 1e9 floating point operations of a forward pass of one patch (multiply-add = 2)."""

    parameters: int
    gflops: float


def network_cost(trainer_name: str, plans: dict[str, Any], configuration: str, dataset_json: dict[str, Any]) -> Cost:
    """Cost of the network that nnU-Net builds for this trainer at the plan's patch size, batch 1, as at inference.

    Raises ValueError for an unknown trainer and RuntimeError when the counter missed operations.
    """
    with torch.device("meta"):
        network, input_shape = inference_network(find_trainer(trainer_name), plans, configuration, dataset_json)
    return Cost(sum(parameter.numel() for parameter in network.parameters()), forward_flops(network, input_shape) / 1e9)


def inference_network(
    trainer: type[nnUNetTrainer], plans: dict[str, Any], configuration: str, dataset_json: dict[str, Any]
) -> tuple[nn.Module, tuple[int, ...]]:
    """The network as nnU-Net builds it for prediction, in evaluation mode, and the shape of one patch for it."""
    plans_manager = PlansManager(plans)
    configuration_manager = plans_manager.get_configuration(configuration)
    channels = determine_num_input_channels(plans_manager, configuration_manager, dataset_json)
    heads = plans_manager.get_label_manager(dataset_json).num_segmentation_heads
    network = trainer.build_network_architecture(
        plans_manager, configuration_manager, channels, heads, enable_deep_supervision=False)
    return network.eval(), (1, channels, *configuration_manager.patch_size)


def forward_flops(network: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Multiplications and additions of convolutions, matrix products and attention; the rest counts as free.

    network: on the meta device. Raises RuntimeError when the count falls short of the network's own convolutions, or
    when the network computes a product that the counter has no formula for.
    """
    counter, products = FlopCounterMode(display=False), _Products()
    with torch.no_grad(), _convolution_flops(network) as convolutions, counter, products:
        network(torch.empty(input_shape, device="meta"))
    counted = counter.get_total_flops()
    if uncounted := products.seen - {str(operation) for operation in flop_registry}:
        raise RuntimeError(f"The FLOP counter of torch {torch.__version__} has no formula for "
                           f"{', '.join(sorted(uncounted))}, which {type(network).__name__} uses: its GFLOPs would be "
                           "too low. Write that product as a matrix product or a convolution.")
    if counted == 0 or counted < sum(convolutions):
        raise RuntimeError(f"The FLOP counter of torch {torch.__version__} saw {counted} operations, but the "
                           f"convolutions of {type(network).__name__} alone need {sum(convolutions)}. "
                           "Install the torch version of constraints.txt.")
    return counted


@contextmanager
def _convolution_flops(network: nn.Module) -> Iterator[list[int]]:
    """Collects the operations of each convolution layer that runs inside, by hand."""
    flops: list[int] = []

    def count(layer: _ConvNd, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        transposed = isinstance(layer, _ConvTransposeNd)
        places = (inputs[0] if transposed else output).shape[2:]
        flops.append(2 * inputs[0].shape[0] * prod(places) * layer.weight.numel())

    handles = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, _ConvNd)]
    try:
        yield flops
    finally:
        for handle in handles:
            handle.remove()


class _Products(TorchDispatchMode):
    """Notes which of PRODUCTS run inside."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.seen |= {str(func.overloadpacket)} & PRODUCTS
        return func(*args, **(kwargs or {}))


def find_trainer(name: str) -> type[nnUNetTrainer]:
    """The trainer that nnU-Net's commands take for `-tr name`; ValueError where they find none."""
    try:
        # The search tells every step, and modules that it comes across warn of their own age.
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return recursive_find_trainer_class_by_name(name)
    except RuntimeError as error:
        raise ValueError(f"nnU-Net finds no trainer {name!r}: check the spelling (`skipx list` shows ours), and with "
                         "`skipx doctor` that the environment variable nnUNet_extTrainer is set.") from error
