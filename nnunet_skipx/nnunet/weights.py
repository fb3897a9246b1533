"""The checkpoints of trained folds, looked at before nnU-Net's predictor loads them."""

from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from nnunet_skipx.nnunet.as_planned import LONGEST_REASON, RAISED
from nnunet_skipx.nnunet.checkpoints import DamagedCheckpointError, read_checkpoint
from nnunet_skipx.nnunet.folds import training_command
from nnunet_skipx.nnunet.json_files import FROM_TRAINING, read_plans
from nnunet_skipx.nnunet.network_classes import require_known_networks
from nnunet_skipx.nnunet.search import UnusableModuleError, find_trainer


def load_networks(predictor: nnUNetPredictor, folder: Path, folds: Sequence[int], checkpoint: str) -> None:
    """Have nnU-Net's predictor load these folds of a model folder, and run nothing that stands in its files.

    Raises FileNotFoundError or ValueError for a file at fault, with the command that makes it again.
    """
    plans = read_plans(folder / "plans.json", FROM_TRAINING)
    require_known_networks(plans)
    paths = {fold: folder / f"fold_{fold}" / checkpoint for fold in folds}
    for fold, path in paths.items():
        again = training_command(folder, fold)
        require_trainer(require_weights(path, plans["configurations"], again), path, again)
    try:
        predictor.initialize_from_trained_model_folder(str(folder), tuple(folds), checkpoint)
    except RAISED as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise ValueError(
            f"{paths[folds[0]]} does not fit the network of {folder / 'plans.json'} ({reason}): copy both from where "
            f"the model was trained, or train it again with {training_command(folder, folds[0])}"
        ) from error


def require_weights(path: Path, configurations: Collection[str], again: str) -> str:
    """The trainer of a checkpoint; ValueError unless it has what a prediction needs, of one of the configurations.

    again: the command that makes it.
    """
    try:
        content = read_checkpoint(path, ("network_weights", "trainer_name", "init_args"))
    except DamagedCheckpointError as error:
        raise DamagedCheckpointError(f"{error}: {again}") from error
    weights, arguments = content["network_weights"], content["init_args"]
    configuration = arguments.get("configuration") if isinstance(arguments, dict) else None
    if configuration not in configurations:
        raise ValueError(
            f"{path} was trained on the configuration {configuration!r}, but plans.json has "
            f"{', '.join(configurations)}: copy both from where the model was trained, or train it again with {again}"
        )
    if not isinstance(weights, dict) or not all(map(_is_stored, weights.values())):
        raise DamagedCheckpointError(f"{path} has network_weights that are none: train the fold again with {again}")
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(
                f"{path} has weights that are no numbers ({name}): its training broke down, so move the checkpoint "
                f"away, and train with {again}, which goes on from the checkpoint before"
            )
    return str(content["trainer_name"])


def _is_stored(weight: object) -> bool:
    """Whether it is a tensor whose numbers are in the file, and not one of them repeated beyond any memory."""
    return torch.is_tensor(weight) and weight.nbytes <= weight.untyped_storage().nbytes()


def require_trainer(name: str, checkpoint: Path, again: str) -> None:
    """ValueError where nnU-Net finds no such trainer, or ends at a file of the user's: no fault of the checkpoint."""
    try:
        find_trainer(name)
    except UnusableModuleError:
        raise
    except ValueError as error:
        raise ValueError(f"{checkpoint}: {error} Or train it again with {again}") from error
