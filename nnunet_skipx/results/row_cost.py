"""What a row of a report cost: counted from its plans, read from its logs, measured by `skipx profile`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnunet_skipx.nnunet.json_files import FROM_TRAINING, read_plans
from nnunet_skipx.nnunet.names import ModelName
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.profiling.counted import Cost
from nnunet_skipx.results.collect import read_dataset_json
from nnunet_skipx.results.counted_networks import Counted, keep_count, kept_count, key_of
from nnunet_skipx.results.training_log import TrainingLog
from nnunet_skipx.system.json_files import either, list_of, null, number, read_json, record, text

SECONDS_PER_HOUR = 3600
MEGABYTES = either(null, number(0, 1e12))
PROFILE = record(
    {
        "header": record({"dataset": text, "plans": text, "configuration": text}),
        "trainers": list_of(
            record({"trainer": text}, {"training_memory_mb": MEGABYTES, "inference_memory_mb": MEGABYTES})
        ),
    }
)


@dataclass(frozen=True)
class RowCost:
    """Each None where it is not known.

    parameters, gflops: see `cost.Cost`. seconds_per_epoch: median over epochs and folds, on the machine that trained.
    hours_per_fold: all epochs of a fold, mean over folds. seconds_per_case: to predict a validation case.
    training_mb, inference_mb: peak memory of a step, of `skipx profile`. remark: why something could not be counted.
    claimed: the ingredients that the trainer's network claims. removed: those that this variant of it, a twin, takes
    away. Both empty where the trainer does not say.
    """

    parameters: int | None = None
    gflops: float | None = None
    seconds_per_epoch: float | None = None
    hours_per_fold: float | None = None
    seconds_per_case: float | None = None
    training_mb: float | None = None
    inference_mb: float | None = None
    remark: str = ""
    claimed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def row_cost(folder: Path, logs: Mapping[int, TrainingLog], profiles: Sequence[Mapping[str, Any]] = ()) -> RowCost:
    """The cost of a model folder.

    logs: by fold. profiles: contents of `skipx profile --json`; the first that has this data set, plans, configuration
    and trainer counts.
    """
    memory = profiled(folder, profiles)
    cost, claimed, removed = network_of(folder)
    known = cost if isinstance(cost, Cost) else None
    trained = [log.epochs["seconds"] for log in logs.values() if not log.epochs.empty]
    predicted = [log.seconds_per_case for log in logs.values() if log.seconds_per_case is not None]
    return RowCost(
        parameters=known.parameters if known else None,
        gflops=known.gflops if known else None,
        seconds_per_epoch=float(np.median(np.concatenate(trained))) if trained else None,
        hours_per_fold=float(np.mean([seconds.sum() for seconds in trained])) / SECONDS_PER_HOUR if trained else None,
        seconds_per_case=float(np.median(predicted)) if predicted else None,
        training_mb=memory.get("training_memory_mb"),
        inference_mb=memory.get("inference_memory_mb"),
        remark=cost if isinstance(cost, str) else "",
        claimed=claimed,
        removed=removed,
    )


def network_of(folder: Path) -> Counted:
    """What is known of a model's network, from the cache if it has been counted before, else by torch."""
    trainer, _, configuration = ModelName.of(folder)
    key = None
    if (folder / "plans.json").is_file():
        plans = read_plans(folder / "plans.json", FROM_TRAINING)
        key = key_of(trainer, plans, configuration, read_dataset_json(folder))
    if key and (kept := kept_count(key)):
        return kept
    found = Counted(counted(folder), *ingredients(trainer))
    if key:
        keep_count(key, found)
    return found


def counted(folder: Path) -> Cost | str:
    """Parameters and operations of a model's network, or a sentence that says why they cannot be counted here."""
    from nnunet_skipx.profiling.cost import network_cost  # torch

    trainer, _, configuration = ModelName.of(folder)
    plans = folder / "plans.json"
    if not plans.is_file():
        return f"The network of {folder.name} is not counted: it has no plans.json."
    dataset_json = read_dataset_json(folder)
    try:
        return network_cost(trainer, read_plans(plans, FROM_TRAINING), configuration, dataset_json)
    except (ValueError, ImportError, RuntimeError) as error:  # mostly of another environment
        return f"The network of {folder.name} is not counted: {error}"


def ingredients(trainer: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the trainer's network claims and what this variant takes away of it, as the trainer's class says."""
    try:
        found = find_trainer(trainer)
    except (ValueError, ImportError, RuntimeError):  # of another environment; `counted` remarks on it
        return (), ()
    nouns = {name: getattr(ingredient, "noun", name) for name, ingredient in getattr(found, "ingredients", {}).items()}
    return tuple(nouns.values()), tuple(nouns[name] for name in getattr(found, "removed", ()))


def profiled(folder: Path, profiles: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The row of the profiles that is about this model; empty without one."""
    trainer, plans, configuration = ModelName.of(folder)
    wanted = {"dataset": folder.parent.name, "plans": plans, "configuration": configuration}
    for profile in profiles:
        if wanted.items() <= profile["header"].items():
            rows: list[dict[str, Any]] = profile["trainers"]
            for row in rows:
                if row["trainer"] == trainer:
                    return row
    return {}


def read_profile(path: Path) -> dict[str, Any]:
    """What `skipx profile --json` printed into a file; ValueError for anything else."""
    content: dict[str, Any] = read_json(path, PROFILE, f"write one with skipx profile … --json > {path.name}")
    return content
