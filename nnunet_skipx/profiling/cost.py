"""What a network costs, counted without computing anything."""

from typing import Any

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

from nnunet_skipx.counting import built_to_count, forward_flops, parameters
from nnunet_skipx.nnunet.as_planned import as_planned
from nnunet_skipx.nnunet.network_classes import require_known_networks
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.profiling.counted import Cost


def network_cost(trainer_name: str, plans: dict[str, Any], configuration: str, dataset_json: dict[str, Any]) -> Cost:
    """Cost of the network that nnU-Net builds for this trainer at the plan's patch size, batch 1, as at inference.

    Raises ValueError for an unknown trainer and RuntimeError when the counter missed operations.
    """
    trainer = find_trainer(trainer_name)
    with built_to_count():
        network, input_shape = inference_network(trainer, plans, configuration, dataset_json)
    return Cost(parameters(network), forward_flops(network, input_shape) / 1e9)


def inference_network(
    trainer: type[nnUNetTrainer], plans: dict[str, Any], configuration: str, dataset_json: dict[str, Any]
) -> tuple[nn.Module, tuple[int, ...]]:
    """The network as nnU-Net builds it for prediction, in evaluation mode, and the shape of one patch for it.

    Raises:
        UnknownNetworkError: the plans name a class that is not imported.
        ValueError: no network can be built from what stands in the plans.
    """
    require_known_networks(plans)
    with as_planned(plans, configuration):
        plans_manager = PlansManager(plans)
        configuration_manager = plans_manager.get_configuration(configuration)
        channels = determine_num_input_channels(plans_manager, configuration_manager, dataset_json)
        heads = plans_manager.get_label_manager(dataset_json).num_segmentation_heads
        network = trainer.build_network_architecture(
            plans_manager, configuration_manager, channels, heads, enable_deep_supervision=False
        )
    return network.eval(), (1, channels, *configuration_manager.patch_size)
