"""From a task folder in the Decathlon's layout to preprocessed data, folds and the demo's small plans."""

import os
import subprocess
from pathlib import Path
from typing import Any

from nnunet_skipx.datasets import msd
from nnunet_skipx.datasets.convert import convert, is_converted
from nnunet_skipx.datasets.download import fetch_msd_task
from nnunet_skipx.datasets.phantom import write_phantom
from nnunet_skipx.datasets.recipe import FOLDS, Options
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.nnunet.json_files import read_plans
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.system.files import last_lines, write_json
from nnunet_skipx.system.interpreter import python

PLANS = "nnUNetDemoPlans"
NARROWING = 4  # the demo's networks are a quarter as wide as planned
PHANTOM_SHAPE = (24, 36, 24)


def task_folder(workspace: Workspace, data: Path | None, download: bool) -> Path:
    """The demo's source data: a given MSD task folder, Task04 from MSD's bucket, or a phantom made here."""
    if data is not None:
        return data
    if download:
        return fetch_msd_task("Task04_Hippocampus", workspace.folder / "download")
    phantom = workspace.folder / "Task99_Phantom"
    return phantom if phantom.is_dir() else write_phantom(workspace.folder, shape=PHANTOM_SHAPE)


def prepare(workspace: Workspace, source: Path) -> tuple[str, str]:
    """Convert, plan, preprocess and split unless done; returns nnU-Net's data set name and the configuration.

    Raises:
        ValueError: the source is not a valid task folder, or has too few cases for five folds.
        OSError: the disk is too small.
        RuntimeError: nnU-Net's planning failed.
    """
    number, _ = msd.task_and_name(source)
    recipe = msd.read(source, Options())
    name = f"Dataset{number:03d}_{recipe.name}"
    if not (workspace.preprocessed / name / f"{PLANS}.json").is_file():
        workspace.require_space(source)
    if not recipe.splits:
        raise ValueError(f"{source} has {len(recipe.training)} labelled cases; five folds need at least {FOLDS}")
    if not is_converted(recipe, workspace.raw / name):
        print(f"Converting {source} to {workspace.raw / name}")
        convert(recipe, number, processes=workers())
    plans_file = workspace.preprocessed / name / f"{PLANS}.json"
    if not plans_file.is_file():
        print("Planning and preprocessing with nnUNetv2_plan_and_preprocess")
        plan_and_preprocess(workspace, name)
        write_json(plans_file, small_plans(workspace.preprocessed / name / "nnUNetPlans.json"))  # last: marks all done
    configurations = read_plans(plans_file)["configurations"]
    return name, "3d_fullres" if "3d_fullres" in configurations else "2d"


def plan_and_preprocess(workspace: Workspace, dataset: str) -> None:
    """Run nnU-Net's own command on 3d_fullres; its output goes to a log."""
    log = workspace.logs / "plan_and_preprocess.log"
    entry = "from nnunetv2.experiment_planning.plan_and_preprocess_entrypoints import plan_and_preprocess_entry as main"
    command = python("-c", f"{entry}; main()", "-d", str(dataset_number(dataset)), "-c", "3d_fullres")
    command += ["-np", str(workers()), "-npfp", str(workers())]
    with log.open("w") as output:
        environment = workspace.planning_environment()
        status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False)
    if status.returncode != 0:
        raise RuntimeError(f"nnU-Net's planning failed; the end of {log}:\n{last_lines(log)}")


def workers() -> int:
    """Processes for converting and planning."""
    return min(os.cpu_count() or 1, 4)


def small_plans(planned: Path) -> dict[str, Any]:
    """nnU-Net's plans with a quarter of the features per stage; everything else stays as planned."""
    plans = read_plans(planned)
    plans["plans_name"] = PLANS
    for configuration in plans["configurations"].values():
        if "architecture" in configuration:
            arguments = configuration["architecture"]["arch_kwargs"]
            arguments["features_per_stage"] = [width // NARROWING for width in arguments["features_per_stage"]]
    return plans
