"""`skipx universal adapt`: what is trained for a new domain, and how it joins the run's checkpoint."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nnunet_skipx.nnunet.checkpoints import NEEDED, read_checkpoint
from nnunet_skipx.nnunet.folds import Fold
from nnunet_skipx.nnunet.names import ModelName
from nnunet_skipx.system.staging import remove_drafts
from nnunet_skipx.universal.beside import FINGERPRINT, SUMMARY, content_of
from nnunet_skipx.universal.checkpoint import (
    ADAPTED,
    FINAL,
    deepest,
    domain_network,
    domains_alone,
    read_run,
    save,
)
from nnunet_skipx.universal.domains import read_domain
from nnunet_skipx.universal.models import UNIVERSAL, model_folders
from nnunet_skipx.universal.run import key
from nnunet_skipx.universal.shared_images import require_unseen
from nnunet_skipx.universal.sharing import share

AXES = "inference_allowed_mirroring_axes"


@dataclass(frozen=True)
class Adaptation:
    """What is to be trained, and the run's final checkpoint of the fold that it builds on."""

    run: Path
    dataset: str
    trainer: str


def adaptation(
    number: int, dataset: str, fold: Fold, configuration: str, plans: str, trainer: str | None
) -> Adaptation:
    """How data set `dataset` is adapted to universal run `number`.

    Args:
        number: the run's data set id.
        dataset: id or name, planned and preprocessed.
        fold: of the run and of the data set.
        configuration, plans: as for nnUNetv2_train.
        trainer: the run's, if it was trained with several.

    Raises:
        FileNotFoundError: the run's fold is not trained to its end, or the data set is not ready.
        ValueError: several trainings to choose from, or the data set is a domain of the run already, or the run was
            trained on an image that this fold of the data set validates.
    """
    models = [m for m in model_folders(number, plans, configuration) if trainer in (None, ModelName.of(m).trainer)]
    if len(models) != 1:
        known = ", ".join(ModelName.of(m).trainer for m in model_folders(number, plans, configuration))
        raise ValueError(f"universal run {number} was trained by {known}: name one of them with -tr")
    run = models[0] / f"fold_{fold}" / FINAL
    if not run.is_file():
        raise FileNotFoundError(f"{run} does not exist: train this fold of the run to its end first")
    domain, domains = read_domain(dataset, plans, configuration), read_run(run)["init_args"]["domains"]
    name = domain.dataset
    if name in domains:
        raise ValueError(f"{name} is a domain of the universal run {number} already: `skipx universal extract` has it")
    require_unseen(name, domain.dataset_json, domain.cases, domains, fold)
    variant = ModelName.of(models[0]).trainer.removeprefix(UNIVERSAL)
    return Adaptation(run, name, f"nnUNetTrainerU2Net{variant}_adapt{number}")


def add_domain(run: Path, adapted: Path) -> Path:
    """Write `checkpoint_adapted.pth` beside the run's final checkpoint: that, domains added before, and this one.

    Raises:
        ValueError: the adapted model's shared weights are not the run's, as after the run was trained again; or another
            process was at it for ten minutes.
    """
    target = run.with_name(ADAPTED)
    with domains_alone(run.parents[1], seconds=600):  # two domains that are added at once are added both
        remove_drafts(run.parent)
        content = read_run(target if target.is_file() else run)
        add_trained(content, read_checkpoint(adapted, (*NEEDED, AXES)), adapted)
        save(content, target)
    return target


def add_trained(content: dict[str, Any], new: dict[str, Any], adapted: Path) -> None:
    """Put a checkpoint of an adapted domain, `new`, into that of the run."""
    arguments = new["init_args"]
    dataset = arguments["plans"]["dataset_name"]
    content["init_args"]["domains"][dataset] = {
        "plans": arguments["plans"],
        "dataset_json": arguments["dataset_json"],
        "trainer": new["trainer_name"],
        "fingerprint": content_of(adapted.parents[1] / FINGERPRINT),
        "summary": content_of(adapted.parent / SUMMARY),
    }
    content["network_weights"] |= shared_storage(content, new["network_weights"], dataset)
    content["logging"]["domains"][key(dataset)] = new["logging"]
    content[AXES][key(dataset)] = new[AXES]


def shared_storage(run: dict[str, Any], weights: dict[str, torch.Tensor], dataset: str) -> dict[str, torch.Tensor]:
    """A new domain's weights under its key; those that are shared are the run's own tensors, stored only once."""
    host = deepest({**run, "init_args": {**run["init_args"], "domains": others(run, dataset)}})
    hosting = domain_network(run, host)
    run["network_weights"] |= (own := {f"{key(dataset)}.{name}": value for name, value in weights.items()})
    network = domain_network(run, dataset)
    share(network, hosting)
    by_address = {value.data_ptr(): f"{key(host)}.{name}" for name, value in hosting.state_dict().items()}
    for name, value in network.state_dict().items():
        if value.data_ptr() in by_address:
            of_run = run["network_weights"][by_address[value.data_ptr()]]
            if not torch.equal(of_run, weights[name]):
                raise ValueError(
                    f"{name} of {dataset} is not the run's: the run was trained again after this domain; "
                    "remove the domain's results and adapt again"
                )
            own[f"{key(dataset)}.{name}"] = of_run
    return own


def others(run: dict[str, Any], dataset: str) -> dict[str, Any]:
    """The run's domains but one."""
    return {name: domain for name, domain in run["init_args"]["domains"].items() if name != dataset}
