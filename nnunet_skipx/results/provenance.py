"""Where a row's numbers come from: settings, machine and versions as nnU-Net noted them when it trained."""

import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from nnunet_skipx.nnunet.json_files import read_debug
from nnunet_skipx.nnunet.names import ModelName
from nnunet_skipx.nnunet.trainer_name import TrainerName
from nnunet_skipx.system.json_files import read_json, record, text

DIGITS = 12  # of a SHA-256, enough to tell files apart
STARTED_FROM = "skipx_weights.json"  # in the folder of a fold that `skipx bench` has started from a checkpoint
START = record({"file": text, "sha256": text})


def provenance(folder: Path, folds: Sequence[int]) -> dict[str, str]:
    """Name -> value for a model folder, of its first fold; what nnU-Net did not note is left out."""
    trainer, plans, configuration = ModelName.of(folder)
    path = folder / f"fold_{folds[0]}" / "debug.json"
    noted, broken = _noted(path)
    weights = _weights(path.with_name(STARTED_FROM))
    known = {
        "epochs x iterations": _joined(noted, " x ", "num_epochs", "num_iterations_per_epoch"),
        "optimiser": _optimiser(noted),
        "augmentation": augmentation_mode(trainer),
        "steps": step_mode(trainer),
        "device": noted.get("gpu_name") or noted.get("device"),
        "pretrained weights": f"{Path(weights['file']).name} ({weights['sha256'][:DIGITS]})" if weights else "",
        "precision": _precision(noted, trainer),
        "compiled": _compiled(noted),
        "torch": noted.get("torch_version"),
        "host": noted.get("hostname"),
        "plans": file_digest(folder / "plans.json"),
        "remark": broken,
        "command": f"nnUNetv2_train {folder.parent.name} {configuration} FOLD -tr {trainer} -p {plans}"
        + (f" -pretrained_weights {shlex.quote(weights['file'])}" if weights else ""),
    }
    return {name: value for name, value in known.items() if value}


def augmentation_mode(trainer: str) -> str:
    """Where a trainer's training augmentation runs, from the options in its name."""
    options = TrainerName.of(trainer).options
    if "gpuaug" not in options:
        return "in worker processes"
    return "on the network's device, with elastic deformation" if "elastic" in options else "on the network's device"


def step_mode(trainer: str) -> str:
    """How a trainer's steps are carried out, from the options in its name."""
    fast = "fast" in TrainerName.of(trainer).options
    return "fused, channels last, not awaited (_fast)" if fast else "nnU-Net's own"


def splits_digest(table: pd.DataFrame) -> str:
    """Of which case was validated in which fold: equal for equal splits."""
    pairs = sorted({(fold, str(case)) for fold, case in zip(table["fold"].tolist(), table["case"], strict=True)})
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:DIGITS]


def file_digest(path: Path) -> str:
    """Of a file's bytes; empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS] if path.is_file() else ""


def _noted(path: Path) -> tuple[dict[str, str], str]:
    """The content of a debug.json, and what is wrong with it; nnU-Net does not write it in one step."""
    if not path.is_file():
        return {}, ""
    try:
        return read_debug(path), ""
    except ValueError as error:
        return {}, f"broken: {error}"


def _weights(path: Path) -> dict[str, str]:
    """From which checkpoint a fold was started; empty where that is not noted, or cannot be read."""
    try:
        return dict(read_json(path, START))
    except (FileNotFoundError, ValueError):
        return {}


def _joined(noted: dict[str, str], between: str, *names: str) -> str:
    return between.join(noted[name] for name in names) if all(name in noted for name in names) else ""


def _optimiser(noted: dict[str, str]) -> str:
    if "optimizer" not in noted:
        return ""
    name = re.match(r"\w+", noted["optimizer"])
    known = (name[0] if name else noted["optimizer"], noted.get("initial_lr", ""))
    return ", ".join(part for part in known if part)


def _precision(noted: dict[str, str], trainer: str) -> str:
    if "grad_scaler" not in noted:
        return ""
    if noted["grad_scaler"] != "None":
        return "float16 autocast"
    if not noted.get("device", "").startswith("cuda"):
        return "float32"  # nnU-Net autocasts on GPUs only
    return "bfloat16 autocast" if "bf16" in TrainerName.of(trainer).options else "autocast without gradient scaler"


def _compiled(noted: dict[str, str]) -> str:
    network = noted.get("network", "")
    if network == "DistributedDataParallel":
        return ""  # the name hides what is inside
    return ("yes" if network == "OptimizedModule" else "no") if network else ""
