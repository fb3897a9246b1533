"""`skipx universal extract`: every domain of a universal run as an ordinary model of its own data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from nnunetv2.paths import nnUNet_results

from nnunet_skipx.nnunet.folds import Fold
from nnunet_skipx.nnunet.names import ModelName
from nnunet_skipx.nnunet.trainer_name import TrainerName
from nnunet_skipx.system.staging import remove_drafts
from nnunet_skipx.universal.beside import domains_summaries, write_description, write_training
from nnunet_skipx.universal.checkpoint import (
    ADAPTED,
    FINAL,
    domain_network,
    domains_alone,
    read_run,
    save,
)
from nnunet_skipx.universal.models import UNIVERSAL, model_folders
from nnunet_skipx.universal.run import key
from nnunet_skipx.universal.sharing import shared_parameters


def extract(number: int, folds: Sequence[Fold] | None = None, trainer: str | None = None) -> list[Path]:
    """Write `DATASET/nnUNetTrainerU2Net_from{number}__PLANS__CONFIGURATION/fold_X` for every domain and trained fold.

    Args:
        number: the run's data set id.
        folds: None for all that are trained.
        trainer: only this universal trainer's models; None for all.

    Raises:
        FileNotFoundError: nothing is trained, or a fold of those named is not.
        ValueError: another process is at it, or a checkpoint cannot be what it should.
    """
    written = []
    for model in model_folders(number):
        if trainer not in (None, ModelName.of(model).trainer):
            continue
        trained = sorted(path.parent for path in model.glob(f"fold_*/{FINAL}"))
        wanted = trained if folds is None else [model / f"fold_{fold}" for fold in folds]
        if missing := [fold for fold in wanted if fold not in trained]:
            raise FileNotFoundError(f"{missing[0]} has no {FINAL}: this fold is not trained to its end")
        with domains_alone(model):
            for fold in wanted:
                written += extract_fold(fold)
    if not written:
        models = ", ".join(model.name for model in model_folders(number))
        raise FileNotFoundError(f"universal run {number} has no fold trained by {trainer or UNIVERSAL}, but: {models}")
    return written


def extract_fold(fold: Path) -> list[Path]:
    """Write the domains of one trained fold; returns their fold folders. What was adapted and trained there stays."""
    path = fold / ADAPTED if (fold / ADAPTED).is_file() else fold / FINAL
    checkpoint = read_run(path)
    _, plans, configuration = ModelName.of(fold.parent)
    summaries = domains_summaries(fold)
    written = []
    for dataset, domain in checkpoint["init_args"]["domains"].items():
        model = Path(str(nnUNet_results)) / dataset / f"{domain['trainer']}__{plans}__{configuration}"
        target = model / fold.name
        if is_adapted(domain["trainer"]) and (target / FINAL).is_file():
            print(f"left {target} as it is: that domain was trained there")
            continue
        target.mkdir(parents=True, exist_ok=True)
        for folder in (model, target):
            remove_drafts(folder)
        write_description(domain, dataset, model)
        write_training(
            checkpoint["logging"]["domains"][key(dataset)], domain.get("summary") or summaries.get(dataset, {}), target
        )
        save(domain_checkpoint(checkpoint, dataset), target / FINAL)
        written.append(target)
    return written


def is_adapted(trainer: str) -> bool:
    """Whether a domain was trained for itself, on the frozen shared weights (`_adapt{N}`)."""
    return any(option.startswith("adapt") for option in TrainerName.of(trainer).options)


def domain_checkpoint(checkpoint: dict[str, Any], dataset: str) -> dict[str, Any]:
    """A domain's part of a universal checkpoint, as nnU-Net's trainer would have saved it (with a new optimiser)."""
    arguments, domain = checkpoint["init_args"], checkpoint["init_args"]["domains"][dataset]
    network = domain_network(checkpoint, dataset)
    frozen = {id(p) for p in shared_parameters(network)} if is_adapted(domain["trainer"]) else set()
    trained = [p for p in network.parameters() if id(p) not in frozen]
    return {
        **checkpoint,
        "network_weights": network.state_dict(),
        "optimizer_state": torch.optim.SGD(trained, 1e-2).state_dict(),
        "logging": checkpoint["logging"]["domains"][key(dataset)],
        "init_args": {
            "plans": domain["plans"],
            "configuration": arguments["configuration"],
            "fold": arguments["fold"],
            "dataset_json": domain["dataset_json"],
            "device": arguments["device"],
        },
        "trainer_name": domain["trainer"],
        "inference_allowed_mirroring_axes": checkpoint["inference_allowed_mirroring_axes"][key(dataset)],
    }
