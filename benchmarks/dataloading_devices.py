"""Loading against computing on this machine, for docs/profile.md: 3d_fullres of hippocampus and of 128x128x128.

    python -m benchmarks.dataloading_devices FOLDER --data Task04_Hippocampus [-device cpu]

FOLDER keeps the preprocessed data for the next call. The 128x128x128 data are phantoms made there; on the CPU, where a
training step on them takes minutes, only the speed of their loading is measured.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.tables import replace_block
from nnunet_skipx.datasets import msd
from nnunet_skipx.datasets.convert import convert, is_converted
from nnunet_skipx.datasets.phantom import TASK_NAME, write_phantom
from nnunet_skipx.datasets.recipe import Options
from nnunet_skipx.demo.prepare import plan_and_preprocess, workers
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.nnunet.planned import read_planned
from nnunet_skipx.profiling.dataloading import both_modes, dataloading
from nnunet_skipx.profiling.loading_run import LoadingSetting, loader_seconds, loading, opened, workers_ended
from nnunet_skipx.system.cores import available_cores
from nnunet_skipx.system.machine import describe_machine

PAGE = Path(__file__).parents[1] / "docs" / "profile.md"
TRAINERS = ["nnUNetTrainer", "nnUNetTrainerUTANet"]
SIDE = 160  # voxels of a phantom's side, for which nnU-Net plans patches of 128
ITERATIONS = {"cpu": 5, "cuda": 50}
NOT_MEASURED = "not measured"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, help="Task04_Hippocampus; without it, 128x128x128 alone")
    parser.add_argument("-device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    workspace = Workspace(args.folder)
    workspace.create()
    load = os.getloadavg()[0]
    settings = [prepared(workspace, source, args.device) for source in sources(workspace, args.data)]
    rows = [row for setting in settings for row in measured_rows(setting)]
    table = markdown(rows, args.device, load)
    print(table)
    replace_block(PAGE, f"dataloading-{args.device}", table)


def sources(workspace: Workspace, data: Path | None) -> list[Path]:
    """Task folders in the Decathlon's layout."""
    phantom = workspace.folder / TASK_NAME
    if not phantom.is_dir():
        write_phantom(workspace.folder, cases=5, test_cases=0, shape=(SIDE, SIDE, SIDE))
    return [data, phantom] if data else [phantom]


def prepared(workspace: Workspace, source: Path, device: str) -> LoadingSetting:
    """nnU-Net's own plans and preprocessed data of 3d_fullres, made unless they are there."""
    number, _ = msd.task_and_name(source)
    recipe = msd.read(source, Options())
    name = f"Dataset{number:03d}_{recipe.name}"
    if not is_converted(recipe, workspace.raw / name):
        convert(recipe, number, processes=workers())
    if not (workspace.preprocessed / name / "nnUNetPlans_3d_fullres").is_dir():
        plan_and_preprocess(workspace, name)
    plans, dataset_json = read_planned(name, "nnUNetPlans")
    return LoadingSetting(plans, "3d_fullres", dataset_json, device, 0, ITERATIONS[device])


def measured_rows(setting: LoadingSetting) -> list[dict[str, str]]:
    """The table's rows of one data set."""
    configuration = setting.plans["configurations"]["3d_fullres"]
    patch = configuration["patch_size"]
    title = (
        f"{setting.plans['dataset_name'].partition('_')[2]}, {'x'.join(map(str, patch))}, batch "
        f"{configuration['batch_size']}"
    )
    if setting.device == "cpu" and max(patch) > 100:
        return [loading_row(title, name, setting) for name in both_modes(TRAINERS[0])]
    return [full_row(title, row) for row in dataloading(TRAINERS, setting)["rows"]]


def full_row(title: str, row: dict[str, Any]) -> dict[str, str]:
    return {
        "data": title,
        "trainer": row["trainer"],
        "nnUNet_n_proc_DA": str(row["workers"]),
        "iterations/s": f"{1 / row['iteration_seconds']:.3g}",
        "device busy": f"{1 - row['waits']:.0%}",
        "CPU cores used": NOT_MEASURED if row["cores_used"] is None else f"{row['cores_used']:.1f}",
        "step s": f"{row['step_seconds']:.3g}",
        "worker s/batch": f"{row['batch_seconds']:.3g}",
    }


def loading_row(title: str, name: str, setting: LoadingSetting) -> dict[str, str]:
    """How fast one worker loads; no training step."""
    with workers_ended(), opened(name, setting) as trainer, loading(trainer, 1) as loader:
        seconds = loader_seconds(trainer, loader, 1, setting.iterations)
    cells = dict.fromkeys(("iterations/s", "device busy", "CPU cores used", "step s"), NOT_MEASURED)
    return {"data": title, "trainer": name, "nnUNet_n_proc_DA": "1", **cells, "worker s/batch": f"{seconds:.3g}"}


def markdown(rows: Sequence[dict[str, str]], device: str, load: float) -> str:
    """The table, with the machine under it, and what others did on it before."""
    lines = [" | ".join(rows[0]), " | ".join("---" for _ in rows[0]), *(" | ".join(row.values()) for row in rows)]
    table = "\n".join(f"| {line} |" for line in lines)
    machine = f"{describe_machine(device == 'cuda')}; {available_cores()} CPU cores for the process"
    means = f"means of {ITERATIONS[device]} iterations, load average {load:.1f} before them"
    return f"{table}\n\nMachine: {machine}; {means}."


if __name__ == "__main__":
    main()
