"""Counts of networks, kept in the user's cache: to count one takes torch, and both take seconds."""

import hashlib
import json
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from nnunet_skipx.nnunet.search import users_folders
from nnunet_skipx.nnunet.trainer_name import TrainerName
from nnunet_skipx.profiling.counted import Cost
from nnunet_skipx.results.references import BY_TRAINER
from nnunet_skipx.system.cache import cache_folder, state_of_the_package
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.json_files import integer, list_of, number, object_of, read_json, record, text

PACKAGES = ("torch", "nnunetv2", "dynamic_network_architectures")
KNOWN_NETWORKS = ("dynamic_network_architectures.", "nnunet_skipx.")  # which change with a version, or a file of ours
COUNTED = record({"parameters": integer(1, 10**15), "gflops": number(0, 1e15)})
NETWORK = record({"cost": COUNTED, "claimed": list_of(text), "removed": list_of(text)})
KEPT = record({"made from": text, "networks": object_of(NETWORK)})


class Counted(NamedTuple):
    """Cost of a network, or a sentence that says why it is not counted; what it claims, and what a twin takes away."""

    cost: Cost | str
    claimed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def key_of(trainer: str, plans: dict[str, Any], configuration: str, dataset_json: dict[str, Any]) -> str | None:
    """The name of a count in the cache; None for what may change without our noticing: trainers of somebody's own.

    With folders of the user's in `nnUNet_extTrainer` any name may lead there.
    """
    classes = {c.get("architecture", {}).get("network_class_name", "") for c in plans["configurations"].values()}
    theirs = [name for name in classes if name and not name.startswith(KNOWN_NETWORKS)]
    if TrainerName.of(trainer).base not in BY_TRAINER or theirs or users_folders():
        return None
    content = json.dumps([trainer, plans, configuration, dataset_json], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def kept_count(key: str) -> Counted | None:
    """What the cache has; None where it has nothing, or something made by other files and versions."""
    kept = _networks(_made_from()).get(key)
    if kept is None:
        return None
    return Counted(Cost(**kept["cost"]), tuple(kept["claimed"]), tuple(kept["removed"]))


def keep_count(key: str, found: Counted) -> None:
    """Put a count into the cache, beside those of the same files and versions; a sentence is not kept."""
    if isinstance(found.cost, str):
        return
    made_from = _made_from()
    network = {"cost": asdict(found.cost), "claimed": list(found.claimed), "removed": list(found.removed)}
    try:
        _path().parent.mkdir(parents=True, exist_ok=True)
        write_json(_path(), {"made from": made_from, "networks": {**_networks(made_from), key: network}})
    except OSError:  # a home that cannot be written to costs seconds, not the report
        pass


def _networks(made_from: str) -> dict[str, dict[str, Any]]:
    try:
        content = read_json(_path(), KEPT)
    except (OSError, ValueError):  # a cache is made again, not mended
        return {}
    networks: dict[str, dict[str, Any]] = content["networks"] if content["made from"] == made_from else {}
    return networks


def _path() -> Path:
    return cache_folder() / "networks.json"


def _made_from() -> str:
    """Versions, our files, and nnU-Net's own trainer, which people edit in a clone."""
    nnunet = find_spec("nnunetv2")
    folders = (nnunet.submodule_search_locations if nnunet else None) or []
    trainers = [Path(folder, "training", "nnUNetTrainer", "nnUNetTrainer.py") for folder in folders]
    return state_of_the_package(PACKAGES, [path for path in trainers if path.is_file()])
