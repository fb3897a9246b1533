"""Whether loading keeps up with the network: trainers with augmentation in workers and on the device, side by side."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch.backends import cudnn

from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.nnunet.trainer_name import TrainerName
from nnunet_skipx.profiling.loading_advice import GPU_AUGMENTATION, Loading, augments_on_device, reason, recommended
from nnunet_skipx.profiling.loading_run import WORKERS, LoadingSetting, measure_loading
from nnunet_skipx.system.cores import available_cores
from nnunet_skipx.system.machine import describe_machine
from nnunet_skipx.system.text_table import text_table

ITERATIONS = {"cpu": 10, "cuda": 100}


def dataloading(trainers: Sequence[str], setting: LoadingSetting) -> dict[str, Any]:
    """Measure every trainer in both augmentation modes on this machine; returns rows and advice, ready for JSON.

    Raises ValueError for arguments that do not fit and RuntimeError when loading fails or memory runs out.
    """
    _check(setting)
    pairs = list(dict.fromkeys(both_modes(name) for name in trainers))
    for plain, _ in pairs:
        find_trainer(plain)  # before anything is measured
    cudnn.benchmark = setting.device == "cuda"  # as nnUNetv2_train sets it
    rows, advice, notes = [], [], []
    with redirect_stdout(sys.stderr):  # nnU-Net's remarks
        for pair in pairs:
            measured, missing = _measure_pair(pair, setting)
            rows += measured
            notes += missing
            advice.append(_advice(measured, setting))
    return {
        "header": _header(setting),
        "rows": [vars(row) | {"workers_needed": row.workers_needed} for row in rows],
        "recommended": advice,
        "notes": notes,
    }


def both_modes(name: str) -> tuple[str, str]:
    """A trainer's name without and with `_gpuaug`."""
    plain = TrainerName.of(name).without(GPU_AUGMENTATION).text
    return plain, name if augments_on_device(name) else f"{plain}_{GPU_AUGMENTATION}"


def dataloading_text(content: dict[str, Any]) -> str:
    """The table and the advice for the terminal."""
    header = content["header"]
    patch = "x".join(map(str, header["patch_size"]))
    lines = [
        f"{header['dataset']}, {header['plans']}, {header['configuration']}, fold {header['fold']}: patch {patch}, "
        f"batch {header['batch_size']}",
        f"{header['machine']}; {header['cores']} CPU cores for this process; means of {header['iterations']} "
        "iterations",
        "",
        text_table([_text_row(row) for row in content["rows"]]),
        *(f"\n{note}" for note in content["notes"]),
    ]
    for advice in content["recommended"]:
        lines += ["", f"Recommended: {advice['command']}", f"    {advice['reason']}"]
    return "\n".join(lines)


def _text_row(row: dict[str, Any]) -> dict[str, str]:
    return {
        "trainer": row["trainer"],
        WORKERS: str(row["workers"]),
        "step s": f"{row['step_seconds']:.4g}",
        "with loading s": f"{row['iteration_seconds']:.4g}",
        "device waits": f"{row['waits']:.0%}",
        "cores used": "-" if row["cores_used"] is None else f"{row['cores_used']:.1f}",
        "worker s/batch": f"{row['batch_seconds']:.4g}",
        "workers needed": str(row["workers_needed"]),
    }


def _check(setting: LoadingSetting) -> None:
    if setting.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("torch sees no CUDA GPU here: add -device cpu, or run `skipx doctor` on the GPU machine")
    if setting.iterations < 1:
        raise ValueError(f"--iterations {setting.iterations} measures nothing: give 1 or more")
    if previous := PlansManager(setting.plans).get_configuration(setting.configuration).previous_stage_name:
        raise ValueError(
            f"{setting.configuration} loads the predictions of a trained {previous}, so its loading is "
            f"not measured: give -c {previous}, or another configuration that is no cascade"
        )


def _measure_pair(pair: tuple[str, str], setting: LoadingSetting) -> tuple[list[Loading], list[str]]:
    """The rows of both modes, and why one is missing."""
    plain, on_device = pair
    print(f"{plain}: augmentation in the workers", file=sys.stderr)
    rows = measure_loading(plain, setting)
    try:
        find_trainer(on_device)
    except ValueError:
        return rows, [f"{plain} was measured with augmentation in the workers only: there is no {on_device}."]
    print(f"{on_device}: augmentation on the device", file=sys.stderr)
    try:
        return rows + measure_loading(on_device, setting), []
    except NotImplementedError as error:
        return rows, [f"{plain} was measured with augmentation in the workers only: {error}."]


def _advice(rows: Sequence[Loading], setting: LoadingSetting) -> dict[str, Any]:
    chosen = recommended(rows)
    manager = PlansManager(setting.plans)
    number = dataset_number(manager.dataset_name)
    plans = "" if manager.plans_name == "nnUNetPlans" else f" -p {manager.plans_name}"
    device = "" if setting.device == "cuda" else f" -device {setting.device}"
    return {
        "trainer": chosen.trainer,
        "workers": chosen.workers,
        "iteration_seconds": chosen.iteration_seconds,
        "command": f"{WORKERS}={chosen.workers} nnUNetv2_train {number} {setting.configuration} {setting.fold} "
        f"-tr {chosen.trainer}{plans}{device}",
        "reason": reason(rows, chosen, available_cores()),
    }


def _header(setting: LoadingSetting) -> dict[str, Any]:
    manager = PlansManager(setting.plans)
    configuration = manager.get_configuration(setting.configuration)
    return {
        "dataset": manager.dataset_name,
        "plans": manager.plans_name,
        "configuration": setting.configuration,
        "fold": setting.fold,
        "patch_size": list(configuration.patch_size),
        "batch_size": configuration.batch_size,
        "device": setting.device,
        "machine": describe_machine(setting.device == "cuda"),
        "cores": available_cores(),
        "torch": torch.__version__,
        "iterations": setting.iterations,
    }
