"""Checkpoints as nnU-Net's trainers write them, with an eye on those that a kill or a full disk cut off."""

import errno
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


class DamagedCheckpointError(ValueError):
    """A checkpoint that cannot be read."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint on the CPU.

    Raises:
        DamagedCheckpointError: it was cut off; says what to do.
        OSError: it cannot be read now.
    """
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
        return checkpoint
    except (RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # torch seeks ahead of a short file's beginning
            raise
        raise DamagedCheckpointError(
            f"{path} cannot be read ({error}): copy it again, or delete it and train its fold "
            "with --c, which goes on from the checkpoint before"
        ) from error


@contextmanager
def saved_along(entries: Mapping[str, Any]) -> Iterator[None]:
    """Inside, the checkpoint that an nnU-Net trainer saves holds these entries, too."""
    save = torch.save

    def save_with_entries(checkpoint: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        save({**checkpoint, **entries}, *args, **kwargs)

    torch_module: Any = torch
    torch_module.save = save_with_entries  # nnU-Net collects a checkpoint and saves it in one method, without a hook
    try:
        yield
    finally:
        torch_module.save = save
