"""Checkpoints of universal runs: which there are, and the domains' networks in them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.architectures import U2Net
from nnunet_skipx.nnunet.checkpoints import read_checkpoint
from nnunet_skipx.nnunet.folds import Fold
from nnunet_skipx.nnunet.json_files import DATASET
from nnunet_skipx.nnunet.names import ModelName
from nnunet_skipx.nnunet.network_classes import require_known_networks
from nnunet_skipx.nnunet.plan_rules import PLANS
from nnunet_skipx.nnunet.trainer_name import TrainerName
from nnunet_skipx.nnunet.wrappers import unwrap
from nnunet_skipx.system.files import write_bytes
from nnunet_skipx.system.json_files import UnfitError, anything, name, object_of, record
from nnunet_skipx.system.staging import alone
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.variants import trainer_class
from nnunet_skipx.universal.beside import CONTENT
from nnunet_skipx.universal.models import UNIVERSAL, model_folders
from nnunet_skipx.universal.run import key as domain_key

FINAL = "checkpoint_final.pth"
ADAPTED = "checkpoint_adapted.pth"  # the final one and the domains that were added since
# fingerprint: nnU-Net's of the data set, which exporting asks for. summary: of the validation of an adapted domain.
DOMAIN = record(
    {"plans": PLANS, "dataset_json": DATASET, "trainer": name}, {"fingerprint": CONTENT, "summary": CONTENT}
)
RUN = record(
    {
        "init_args": record({"domains": object_of(DOMAIN, keys=name, fewest=1), "configuration": name}),
        "network_weights": object_of(anything),
        "logging": record({"domains": object_of(anything)}),
        "inference_allowed_mirroring_axes": object_of(anything),
    }
)


@contextmanager
def domains_alone(model: Path, seconds: float = 0) -> Iterator[None]:
    """Inside, this process alone writes domains of a run's model; ValueError where another one does for so long."""
    busy = f"another process extracts or adds domains of {model}: wait until it has ended, then run the command again"
    with alone(model / "domains.lock", busy, seconds):
        yield


def find_checkpoint(trainer: type[SkipTrainer], number: int, plans: str, configuration: str, fold: Fold) -> Path:
    """The run's final checkpoint whose networks are like those of `trainer`, a variant of nnUNetTrainerU2Net.

    Raises:
        FileNotFoundError: no fold like this has finished.
        ValueError: several have; names them.
    """
    found = []
    for folder in model_folders(number, plans, configuration):
        path = folder / f"fold_{fold}" / FINAL
        variant: Any = trainer_class(ModelName.of(folder).trainer)
        if path.is_file() and variant.architecture_kwargs == trainer.architecture_kwargs:
            found.append(path)
    if not found:
        raise FileNotFoundError(
            f"fold {fold} of universal run {number} ({plans}, {configuration}) has not finished "
            f"with networks as {trainer.__name__} has: train it first"
        )
    if len(found) > 1:
        own = [f"_{option}" for option in TrainerName.of(trainer.__name__).options if not option.startswith("adapt")]
        found = [path for path in found if ModelName.of(path.parents[1]).trainer == UNIVERSAL + "".join(own)] or found
    if len(found) > 1:
        paths = "\n".join(f"  {path}" for path in found)
        raise ValueError(
            f"{trainer.__name__} could continue several trainings of universal run {number}; move the "
            f"others out of nnUNet_results:\n{paths}"
        )
    return found[0]


def domain_weights(checkpoint: dict[str, Any], dataset: str) -> dict[str, torch.Tensor]:
    """The weights of a domain's network, as an ordinary checkpoint has them."""
    prefix = f"{domain_key(dataset)}."
    weights = checkpoint["network_weights"]
    found = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
    if not found:
        raise ValueError(
            f"the checkpoint holds no weights of {dataset}: it is of a time when domains had the first ten letters of "
            "their names there; extract it with the version that trained it"
        )
    return found


def domain_network(checkpoint: dict[str, Any], dataset: str) -> U2Net:
    """A domain's network with its weights, as nnU-Net builds it for prediction."""
    domain, configuration = checkpoint["init_args"]["domains"][dataset], checkpoint["init_args"]["configuration"]
    plans = PlansManager(domain["plans"])
    manager = plans.get_configuration(configuration)
    network: Any = trainer_class(domain["trainer"]).build_network_architecture(
        plans,
        manager,
        determine_num_input_channels(plans, manager, domain["dataset_json"]),
        plans.get_label_manager(domain["dataset_json"]).num_segmentation_heads,
        enable_deep_supervision=False,
    )
    network.load_state_dict(domain_weights(checkpoint, dataset))
    assert isinstance(unwrap(network), U2Net)
    return network


def deepest(checkpoint: dict[str, Any]) -> str:
    """The data set whose network has the most stages: it holds all shared weights."""
    domains, configuration = checkpoint["init_args"]["domains"], checkpoint["init_args"]["configuration"]

    def stages(dataset: str) -> int:
        return (
            PlansManager(domains[dataset]["plans"])
            .get_configuration(configuration)
            .network_arch_init_kwargs["n_stages"]
        )

    return max(domains, key=stages)


def read_run(path: Path) -> dict[str, Any]:
    """A universal run's checkpoint on the CPU.

    Raises:
        DamagedCheckpointError: it cannot be read.
        ValueError: it is that of another trainer, or what it says of its domains cannot be.
    """
    content = read_checkpoint(path)
    try:
        RUN(content)
    except UnfitError as error:
        raise ValueError(f"{path} is no checkpoint of a universal run ({error}): copy it again") from error
    for domain in content["init_args"]["domains"].values():
        require_known_networks(domain["plans"])
    return content


def save(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint in one step; OSError if it cannot be written."""
    content = io.BytesIO()
    torch.save(checkpoint, content)
    write_bytes(path, content.getvalue())
