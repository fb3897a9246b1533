"""Checkpoints as nnU-Net's trainers write them: whole or named as damaged, and read without running what is in them."""

import errno
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nnunet_skipx.nnunet.folds import FINAL
from nnunet_skipx.system.files import draft_of, is_full

LATEST, BEST = "checkpoint_latest.pth", "checkpoint_best.pth"
PREVIOUS = "checkpoint_previous.pth"  # the latest before the latest one
NEEDED = ("network_weights", "optimizer_state", "logging", "current_epoch", "_best_ema", "init_args", "trainer_name")
TRUST = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"  # torch's own variable: whoever sets it trusts the files that are read
# What a zip archive with a few wrong bytes makes zipfile raise.
BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    OverflowError,
    NotImplementedError,
)
_SCALAR, _ARRAY = np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]
# nnU-Net logs numpy's numbers; beside tensors and plain Python they are all that a checkpoint needs.
NUMBERS = [_SCALAR, _ARRAY, np.ndarray, np.dtype, *{type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}]
if tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 6):  # names of numpy 1 and 2, whichever runs here
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        NUMBERS += [(_SCALAR, f"{module}.scalar"), (_ARRAY, f"{module}._reconstruct")]


class DamagedCheckpointError(ValueError):
    """A checkpoint that cannot be read."""


def read_checkpoint(path: Path, keys: Collection[str] = ()) -> dict[str, Any]:
    """A checkpoint on the CPU: tensors, numbers and texts, nothing that is run while it is read.

    keys: what it must have.

    Raises:
        DamagedCheckpointError: it was cut off, some bytes are wrong, or a key is missing; says what to do.
        ValueError: it holds objects of other classes, whose code would run.
        OSError: it cannot be read now.
    """
    _require_whole(path)
    trusted = os.environ.get(TRUST, "").lower() in ("1", "y", "yes", "true")
    try:
        with torch.serialization.safe_globals(NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=not trusted)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} holds more than weights and numbers, and reading that could run anything. If you trust whoever "
            f"wrote it: export {TRUST}=1 ({str(error).splitlines()[0]})"
        ) from error
    except (RuntimeError, EOFError, KeyError) as error:  # a whole archive, but not torch's
        raise damaged(path, error) from error
    if not isinstance(content, dict):
        raise damaged(path, f"it holds a {type(content).__name__}")
    if missing := sorted({*keys} - content.keys()):
        raise damaged(path, f"no {missing[0]}")
    return content


def damaged(path: Path, why: object) -> DamagedCheckpointError:
    """The error for a checkpoint that cannot be read."""
    return DamagedCheckpointError(
        f"{path} cannot be read ({why}): copy it again, or move it away and train its fold "
        "with --c, which goes on from the checkpoint before"
    )


def _require_whole(path: Path) -> None:
    """Compare every part of the file with its checksum, which torch writes, but does not look at."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
                raise damaged(path, "its parts are larger than the file")  # torch compresses nothing
            broken = archive.testzip()
    except OSError as error:
        if error.errno != errno.EINVAL:  # a seek ahead of a short file's beginning
            raise
        raise damaged(path, error) from error
    except BROKEN_ZIP as error:
        raise damaged(path, error) from error
    if broken is not None:
        raise damaged(path, f"the checksum of {broken} does not fit")


@contextmanager
def checkpoint_draft(path: Path) -> Iterator[Path]:
    """A file to write a checkpoint to, which replaces `path` in one step; the latest before stays until the final.

    Raises OSError when the disk is full, which torch tells as "unexpected pos".
    """
    previous = path.with_name(PREVIOUS)
    with draft_of(path) as draft:
        try:
            yield draft
        except RuntimeError as error:
            if is_full(path.parent):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
            raise
        if path.name == LATEST and path.is_file() and draft.is_file():
            previous.unlink(missing_ok=True)
            try:
                os.link(path, previous)
            except OSError:  # a file system without hard links
                path.replace(previous)
    if path.name == FINAL and path.is_file():
        previous.unlink(missing_ok=True)


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


def set_damaged_aside(folder: Path) -> list[str]:
    """Rename checkpoints of a fold that training could not go on from to `.damaged`; says which, and what remains.

    Where that was the latest one, the one before takes its place.
    """
    told = []
    for path in sorted(folder.glob("checkpoint_*.pth")):
        try:
            read_checkpoint(path, NEEDED)
        except DamagedCheckpointError as error:
            aside = path.with_name(f"{path.name}.damaged")
            path.replace(aside)
            told.append(f"set aside as {aside.name}: {error}")
        except ValueError:
            continue  # of somebody's own trainer, with more in it than ours; nnU-Net will read it
    previous, latest = folder / PREVIOUS, folder / LATEST
    if previous.is_file() and not latest.is_file() and not (folder / FINAL).is_file():
        previous.replace(latest)
        told.append(f"the checkpoint before, {PREVIOUS}, takes its place")
    return [*told, start_of(folder)] if told else []


def resumed_from(folder: Path) -> Path | None:
    """The checkpoint from which nnU-Net goes on with a fold; None where it would begin."""
    return next((folder / name for name in (FINAL, LATEST, BEST) if (folder / name).is_file()), None)


def start_of(folder: Path) -> str:
    """From where nnU-Net goes on with a fold, in words."""
    if (path := resumed_from(folder)) is None:
        return "the training begins again at epoch 0"
    try:
        return f"going on from {path.name} at epoch {read_checkpoint(path, NEEDED)['current_epoch']}"
    except ValueError:
        return f"going on from {path.name}, which holds more than weights and numbers"
