"""nnU-Net's JSON files and ours beside them: what must stand in each, and what to do where it does not."""

import json
import math
from pathlib import Path
from typing import Any

from nnunet_skipx.nnunet.plan_rules import AXES, PLANS
from nnunet_skipx.system.json_files import (
    UnfitError,
    all_of,
    either,
    integer,
    like,
    list_of,
    name,
    null,
    number,
    object_of,
    one_of,
    read_json,
    record,
    text,
    unique,
)

LABEL = either(integer(0, 65535), like(r"\d{1,5}", "digits"))
NUMBER_OR_DIGITS = either(integer(1, 10**9), like(r"[1-9]\d{0,8}", "digits"))
COUNT = number(0, 1e15)
SHARE = number(0, 1, or_nan=True)
PROTOCOL = record({"name": text, "data": text, "folds": list_of(text), "notes": list_of(text)})
CHANNELS = object_of(text, keys=like(r"\d{1,4}", "a channel's number"), fewest=1)
LISTED = record({"images": list_of(text, 1), "label": text})


def _labels(content: Any) -> None:
    """As nnU-Net needs them: background is 0, every label has a number of its own, the ignore label the highest."""
    labels = content["labels"]
    single = {name: int(value) for name, value in labels.items() if not isinstance(value, list)}
    if single.get("background") != 0:
        raise UnfitError(labels.get("background"), "0", "labels.background")
    if single.keys() == labels.keys():
        unique(list(single.values()), "number", "labels")
    if "ignore" in labels:
        others = [int(i) for name, ids in labels.items() if name != "ignore" for i in _ids(ids)]
        if labels["ignore"] != max(others) + 1:
            raise UnfitError(labels["ignore"], f"the number after all others', {max(others) + 1}", "labels.ignore")


def _not_swapped(content: Any) -> None:
    """Names have numbers, and not numbers names, as nnU-Net's first version had it."""
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, dict) or not labels:
        return
    if all(key.isdigit() and isinstance(name, str) and not name.isdigit() for key, name in labels.items()):
        turned = json.dumps({name: int(key) for key, name in labels.items()}, ensure_ascii=False)
        raise UnfitError(labels, f"name and number the other way round, {turned}", "labels")


def _ids(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


DATASET = all_of(
    _not_swapped,
    record(
        {
            "labels": object_of(either(LABEL, list_of(LABEL, 1)), fewest=1),
            "file_ending": like(r"\.[A-Za-z0-9]+(\.[A-Za-z0-9]+)*", 'a file ending such as ".nii.gz"'),
        },
        {
            "channel_names": CHANNELS,
            "modality": CHANNELS,
            "dataset": object_of(LISTED),
            "numTraining": integer(0, 10**9),
            "regions_class_order": list_of(LABEL),
            "skipx_protocol": either(null, PROTOCOL),
        },
    ),
    _labels,
)


def _no_gap(content: Any) -> None:
    labels = content["labels"]
    numbers = [int(i) for name, ids in labels.items() if name != "ignore" for i in _ids(ids)]
    if missing := sorted({*range(max(numbers))} - {*numbers}):
        raise UnfitError(max(numbers), f"{missing[0]} before it, as labels are counted without a gap", "labels")


def _regions_in_order(content: Any) -> None:
    """nnU-Net writes regions over each other in an order that it has to be told."""
    labels = {name: ids for name, ids in content["labels"].items() if name not in ("background", "ignore")}
    if any(isinstance(ids, list) and len(ids) > 1 for ids in labels.values()):
        count = len(labels)
        record({"regions_class_order": list_of(LABEL, count, count)})(content)


def _channels(content: Any) -> None:
    """Under one of nnU-Net's two names."""
    if "modality" not in content:
        record({"channel_names": CHANNELS})(content)


TRAINABLE = all_of(DATASET, _channels, _no_gap, _regions_in_order)  # what a network is made from
SPLITS = list_of(record({"train": list_of(name), "val": list_of(name)}))
METRICS = record({"Dice": SHARE}, {"IoU": SHARE, **dict.fromkeys(("TP", "FP", "FN", "TN", "n_pred", "n_ref"), COUNT)})
MEAN_DICE = record({"foreground_mean": record({"Dice": either(null, SHARE)})})
SUMMARY = record(
    {"metric_per_case": list_of(record({"prediction_file": text, "metrics": object_of(METRICS, fewest=1)}), 1)}
)
# nnU-Net writes everything as text, and what it does not know not at all
DEBUG = record(
    {},
    {
        **dict.fromkeys(("num_epochs", "num_iterations_per_epoch"), NUMBER_OR_DIGITS),
        **dict.fromkeys(("device", "gpu_name", "torch_version", "hostname", "network", "grad_scaler"), text),
        "optimizer": like(r"(?s).*", "a text"),  # of several lines
        "initial_lr": either(text, number(0, 1e9)),
    },
)
DOMAINS = record(
    {
        "dataset": name,
        "plans": name,
        "sampling": one_of("round_robin", "sqrt", "proportional"),
        "feature_scale": number(1e-9, 1e9),
        "fingerprints": object_of(object_of(object_of(text), fewest=1), keys=name, fewest=1),
    },
    {"shared_images": list_of(list_of(list_of(name, 2, 2), 2))},
)
FINGERPRINT = record(
    {
        "spacings": list_of(list_of(number(1e-9, 1e9), AXES, AXES), 1),
        "shapes_after_crop": list_of(list_of(integer(1, 10**6), AXES, AXES), 1),
        "foreground_intensity_properties_per_channel": object_of(object_of(number(-1e30, 1e30, or_nan=True)), fewest=1),
    },
    {"median_relative_size_after_cropping": number(0, 1)},
)
PROVENANCE = record({}, {"files": object_of(text), "patients": object_of(text, keys=name)})


FROM_TRAINING = "copy it again from where the model was trained"


def _some(folds: Any) -> None:
    if not folds:
        raise UnfitError(folds, "a list with a fold")


def _each_once(folds: Any) -> None:
    for position, fold in enumerate(folds):
        unique([*fold["train"], *fold["val"]], "case", f"[{position}]")


def read_plans(
    path: Path, cure: str = "restore the file, or plan again with nnUNetv2_plan_experiment"
) -> dict[str, Any]:
    """A plans file; errors as `read_json` raises them. Which classes it names is `require_known_networks`' concern."""
    content: dict[str, Any] = read_json(path, PLANS, cure)
    return content


def read_dataset_json(path: Path, cure: str = "restore the file, or copy it from nnUNet_raw") -> dict[str, Any]:
    """A data set's dataset.json, in any of nnU-Net's folders; errors as `read_json` raises them."""
    content: dict[str, Any] = read_json(path, DATASET, cure)
    return content


def read_trainable(path: Path) -> dict[str, Any]:
    """The dataset.json of planned data, by which networks are made; errors as `read_json` raises them."""
    content: dict[str, Any] = read_json(path, TRAINABLE, "correct it in nnUNet_raw, and copy it from there")
    return content


def read_splits(path: Path) -> list[dict[str, list[str]]]:
    """splits_final.json, each case once in a fold; errors as `read_json` raises them."""
    cure = "copy the file that the trainings used; without one, nnU-Net makes other folds than theirs"
    content: list[dict[str, list[str]]] = read_json(path, all_of(SPLITS, _some, _each_once), cure)
    return content


def read_mean_dice(path: Path) -> float:
    """The mean Dice over foreground classes of a fold's validation/summary.json, NaN where it has none.

    Errors as `read_json` raises them.
    """
    content = read_json(path, MEAN_DICE, "validate the fold again with nnUNetv2_train ... --val")
    value = content["foreground_mean"]["Dice"]
    return math.nan if value is None else float(value)


def read_debug(path: Path) -> dict[str, str]:
    """A fold's debug.json, what nnU-Net notes when it trains, as text; errors as `read_json` raises them."""
    content = read_json(path, DEBUG, "copy it again from where the fold was trained")
    return {key: value if isinstance(value, str) else str(value) for key, value in content.items()}


def read_domains(path: Path) -> dict[str, Any]:
    """A universal run's domains.json; errors as `read_json` raises them."""
    cure = "restore the file: the run's model folders among the results have a copy"
    content: dict[str, Any] = read_json(path, DOMAINS, cure)
    return content


def read_fingerprint(path: Path, cure: str) -> dict[str, Any]:
    """dataset_fingerprint.json, which nnU-Net's planner reads; errors as `read_json` raises them."""
    content: dict[str, Any] = read_json(path, FINGERPRINT, cure)
    return content


def read_provenance(path: Path) -> dict[str, Any]:
    """provenance.json, which `skipx convert` writes; errors as `read_json` raises them."""
    content: dict[str, Any] = read_json(path, PROVENANCE, "restore the file, or convert the data set again")
    return content
