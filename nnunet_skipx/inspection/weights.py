"""A trained fold's checkpoint, looked at before nnU-Net's predictor loads it."""

from collections.abc import Collection
from pathlib import Path

import torch

from nnunet_skipx.nnunet.checkpoints import DamagedCheckpointError, read_checkpoint


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
    if not isinstance(weights, dict) or not all(map(torch.is_tensor, weights.values())):
        raise DamagedCheckpointError(f"{path} has network_weights that are none: train the fold again with {again}")
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(
                f"{path} has weights that are no numbers ({name}): its training broke down, so move the checkpoint "
                f"away, and train with {again}, which goes on from the checkpoint before"
            )
    return str(content["trainer_name"])
