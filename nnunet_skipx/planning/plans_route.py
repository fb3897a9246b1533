"""Plans files that name one of our networks, for use with the stock nnUNetTrainer."""

import copy
from pathlib import Path
from typing import Any

from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.nnunet.json_files import read_plans
from nnunet_skipx.nnunet.names import STOCK_NETWORKS
from nnunet_skipx.nnunet.network_classes import require_known_networks
from nnunet_skipx.nnunet.planned import plans_file
from nnunet_skipx.planning.networks import architecture_of
from nnunet_skipx.planning.spelling import require_architecture
from nnunet_skipx.system.files import write_json


def write_plans(dataset: str, architecture: str, plans: str = "nnUNetPlans") -> Path:
    """Write `nnUNet<architecture>Plans.json` next to existing plans; preprocessed data is shared with them.

    Raises:
        ValueError: no such network, or plans of another kind of network.
        FileNotFoundError: folders, data set or plans are missing.
    """
    require_architecture(architecture, stock=False)
    source = plans_file(dataset, plans)
    content = read_plans(source)
    require_known_networks(content)
    manager = PlansManager(copy.deepcopy(content))
    content["plans_name"] = f"nnUNet{architecture}{plans.removeprefix('nnUNet')}"
    for name, configuration in content["configurations"].items():
        # each has its own: one that is inherited would hold what the network was told of the other's patch
        configuration["architecture"] = _network(architecture, manager, name, source)
    target = source.with_name(f"{content['plans_name']}.json")
    write_json(target, content)
    return target


def _network(architecture: str, manager: PlansManager, name: str, source: Path) -> dict[str, Any]:
    """The entry `architecture` of a configuration for one of our networks, given all that it inherits."""
    try:
        resolved = manager.get_configuration(name).configuration
        planned = resolved["architecture"]["network_class_name"].split(".")[-1]
        if planned in STOCK_NETWORKS:
            return architecture_of(architecture, resolved)
    except KeyError as error:
        raise ValueError(
            f"{source}: configuration {name!r} has no {error.args[0]}, nor has one that it inherits from: restore the "
            "file, or plan again with nnUNetv2_plan_experiment"
        ) from error
    raise ValueError(
        f"configuration {name!r} of {source} describes the network {planned}; start from plans of a "
        f"{' or '.join(STOCK_NETWORKS)}, for example -p nnUNetPlans"
    )
