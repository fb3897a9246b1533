"""Plans files that name one of our networks, for use with the stock nnUNetTrainer."""
import json
from pathlib import Path
from typing import Any

from nnunetv2.paths import nnUNet_preprocessed
from nnunetv2.utilities.dataset_name_id_conversion import maybe_convert_to_dataset_name
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx import architectures
from nnunet_skipx.files import write_json
from nnunet_skipx.training.trainer import STOCK_NETWORKS


def write_plans(dataset: str, architecture: str, plans: str = "nnUNetPlans") -> Path:
    """Write `nnUNet<architecture>Plans.json` next to existing plans; preprocessed data is shared with them.

    Raises:
        ValueError: no such network, or plans of another kind of network.
        FileNotFoundError: folders, data set or plans are missing.
    """
    networks = [name for name in architectures.__all__ if name != "SkipUNet"]
    if architecture not in networks:
        raise ValueError(f"there is no network {architecture!r}; there are: {', '.join(networks)}")
    source = plans_file(dataset, plans)
    content = json.loads(source.read_text())
    manager = PlansManager(content)
    content["plans_name"] = f"nnUNet{architecture}{plans.removeprefix('nnUNet')}"
    for name, configuration in content["configurations"].items():
        if "architecture" not in configuration:
            continue  # it inherits its network from another configuration
        planned = configuration["architecture"]["network_class_name"].split(".")[-1]
        if planned not in STOCK_NETWORKS:
            raise ValueError(
                f"configuration {name!r} of {source} describes the network {planned}; start from plans of a "
                f"{' or '.join(STOCK_NETWORKS)}, for example -p nnUNetPlans"
            )
        configuration["architecture"]["network_class_name"] = f"nnunet_skipx.architectures.{architecture}"
        wanted = getattr(architectures, architecture).plan_arguments
        resolved = manager.get_configuration(name).configuration  # what it inherits included
        configuration["architecture"]["arch_kwargs"] |= {key: resolved[key] for key in wanted}
    target = source.with_name(f"{content['plans_name']}.json")
    write_json(target, content)
    return target


def plans_file(dataset: str, plans: str) -> Path:
    """Where nnU-Net's planning put the plans of a data set, given by id or name.

    Raises:
        FileNotFoundError: folders, data set or plans are missing; says what there is.
        ValueError: neither an id nor a name.
    """
    if not nnUNet_preprocessed.is_set():
        raise FileNotFoundError("nnUNet_preprocessed is not set: export nnUNet_preprocessed=/path/to/preprocessed")
    dataset_id = int(dataset) if dataset.isdigit() else dataset
    try:
        name = maybe_convert_to_dataset_name(dataset_id)
    except RuntimeError as error:
        reason = str(error).split(". ")[0]
        raise FileNotFoundError(
            f"data set {dataset!r} was not found in nnUNet_preprocessed={nnUNet_preprocessed} ({reason}): "
            "check the id, or run nnUNetv2_plan_and_preprocess first"
        ) from error
    except ValueError as error:
        raise ValueError(f"{dataset!r} names no data set: give its id (4) or its name (Dataset004_Name)") from error
    folder = Path(str(nnUNet_preprocessed)) / name
    path = folder / f"{plans}.json"
    if not path.is_file():
        existing = ", ".join(sorted(other.stem for other in folder.glob("*Plans*.json"))) or "none"
        raise FileNotFoundError(
            f"{path} does not exist (plans there: {existing}): check the name, or run "
            f"nnUNetv2_plan_and_preprocess -d {dataset} first"
        )
    return path


def read_planned(dataset: str, plans: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The content of the plans and of dataset.json beside them; errors as `plans_file` raises them."""
    path = plans_file(dataset, plans)
    beside = path.with_name("dataset.json")
    if not beside.is_file():
        raise FileNotFoundError(f"{beside} does not exist: run nnUNetv2_plan_and_preprocess -d {dataset} again")
    return json.loads(path.read_text()), json.loads(beside.read_text())
