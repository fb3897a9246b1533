"""`skipx demo`: data -> nnU-Net raw -> plans -> five folds x trainers -> a table and a report, on the CPU."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout
from rich.console import Console

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.command import outcome
from nnunet_skipx.bench.live import LiveView
from nnunet_skipx.bench.local import run_cells
from nnunet_skipx.bench.slots import MOST_CPU_JOBS, Slot
from nnunet_skipx.datasets.protocol import protocol_in
from nnunet_skipx.datasets.recipe import FOLDS
from nnunet_skipx.demo.arguments import require_arguments
from nnunet_skipx.demo.prepare import NARROWING, PLANS, prepare, task_folder
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.nnunet.folds import Fold, numbered
from nnunet_skipx.nnunet.json_files import read_dataset_json, read_splits
from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.page import report_parts, terminal_text, write_report
from nnunet_skipx.results.atlas import atlas_table
from nnunet_skipx.results.citations import citation
from nnunet_skipx.results.collect import collect
from nnunet_skipx.results.dice import CONVENTIONS
from nnunet_skipx.results.provenance import provenance
from nnunet_skipx.results.row_cost import row_cost
from nnunet_skipx.results.schedules import short_training_remark, trainings_of
from nnunet_skipx.results.training_log import read_training_log
from nnunet_skipx.system.cores import available_cores
from nnunet_skipx.system.next_steps import DATASET, go_on
from nnunet_skipx.system.os_errors import require_writable
from nnunet_skipx.system.variables import environment
from nnunet_skipx.training.options.demo import DemoOption
from nnunet_skipx.training.variants import trainer_class

NOTES = (
    f"Shortened settings: every network is a quarter (1/{NARROWING}) as wide as nnU-Net plans it, the training has "
    f"{DemoOption.demo_epochs} epochs of {DemoOption.iterations_per_epoch} iterations with AdamW "
    f"{DemoOption.learning_rate} (nnU-Net: 1000 epochs of 250 with SGD 0.01), without mirroring.",
    "These numbers show that the comparison runs, not which network is better: for that, train the stock schedule.",
    "Trainings ran side by side with one CPU thread each, and the seconds per epoch are measured so.",
)
CHOSEN_ON = "40 cases of MSD Task04_Hippocampus"


def run_demo(
    folder: Path,
    data: Path | None = None,
    download: bool = False,
    trainers: Sequence[str] = (BASELINE, "nnUNetTrainerUTANet"),
    folds: Sequence[Fold] = range(FOLDS),
) -> int:
    """Do what is missing in `folder` and write its report.

    Raises:
        ValueError: unknown trainers or folds, unfit data, or another demo at work in the folder.
        RuntimeError: planning or trainings failed.
    """
    require_arguments(trainers, folds, data)
    require_single(trainers)
    require_writable(folder, "the demo's folder")
    workspace = Workspace(folder)
    workspace.create()
    try:
        with FileLock(folder / ".lock", timeout=0):
            dataset, configuration = prepare(workspace, task_folder(workspace, data, download))
            names = [f"{trainer}_demo" for trainer in trainers]
            # Fold by fold, so that an interrupted demo has compared the trainers on what is done.
            cells = [
                Cell(workspace.results, dataset, configuration, fold, name, PLANS) for fold in folds for name in names
            ]
            train(cells)
            comparison = demo_comparison(workspace, dataset, cells)
            path = write_report(f"skipx demo on {dataset}", report_parts([comparison]), workspace.report)
    except Timeout as error:
        raise ValueError(f"another skipx demo is at work in {folder}: wait for it, or name another folder") from error
    print(f"\n{terminal_text([comparison])}\n\nReport: {path.resolve()}")
    bench = ["skipx", "bench", "-d", DATASET, "-c", "3d_fullres", "-tr", *trainers, "--dry-run"]
    print(go_on(["skipx", "fetch", "msd", 4], bench))
    return 0


def train(cells: Sequence[Cell]) -> None:
    """Run the cells that are not done, as many at a time as there are cores (at most 4), one thread each.

    Raises:
        RuntimeError: cells that failed, with the end of their logs; the others have run.
    """
    inline = environment({"nnUNet_n_proc_DA": "0"})  # whatever the user has for a GPU: the cores are taken
    with inline, LiveView(Console()) as view:
        run = run_cells(cells, [Slot("cpu")] * min(available_cores(), MOST_CPU_JOBS), npz=False, watch=view)
    if len(run.done()) < len(cells):
        raise RuntimeError(outcome(run))


def exceptions(trainers: Iterable[str]) -> list[str]:
    """What the demo trains otherwise than its notes say, one sentence per trainer."""
    sentences = []
    for name in trainers:
        trainer = trainer_class(name)
        if (rate := getattr(trainer, "demo_learning_rate", None)) is not None:
            kwargs = f" and with {trainer.demo_kwargs}" if trainer.demo_kwargs else ""
            sentences.append(f"{name} is trained with the learning rate {rate}{kwargs}, chosen on {CHOSEN_ON}.")
    return sentences


def require_single(trainers: Sequence[str]) -> None:
    """Refuse trainers of several data sets, before anything is written."""
    for trainer in trainers:
        if getattr(trainer_class(f"{trainer}_demo"), "domain_trainer", None):
            raise ValueError(f"{trainer} trains several data sets at once, the demo has one: see `skipx universal`")


def demo_comparison(workspace: Workspace, dataset: str, cells: Sequence[Cell]) -> Comparison:
    """Everything the report needs, read from the disk."""
    preprocessed = workspace.preprocessed / dataset
    dataset_json = read_dataset_json(preprocessed / "dataset.json")
    protocol = protocol_in(dataset_json)
    splits = read_splits(preprocessed / "splits_final.json")
    folds = numbered(sorted({cell.fold for cell in cells}))
    models = {cell.trainer: cell.folder.parent for cell in cells}
    atlas = atlas_table(preprocessed / "gt_segmentations", splits, folds, dataset_json, dataset)
    logs = {name: {fold: read_training_log(path / f"fold_{fold}") for fold in folds} for name, path in models.items()}
    return Comparison(
        dataset=dataset,
        table=pd.concat([collect(list(models.values()), folds), atlas], ignore_index=True),
        baseline=cells[0].trainer,
        dataset_json=dataset_json,
        data_protocol=protocol,
        test_run=short_training_remark(trainings_of({name: (path,) for name, path in models.items()}, folds)),
        convention=CONVENTIONS["nnunet"].words,
        costs={name: row_cost(path, logs[name]) for name, path in models.items()},
        logs=logs,
        citations={name: citation(name) for name in models},
        provenance={name: provenance(path, folds) for name, path in models.items()},
        model_folders=models,
        images_folder=workspace.raw / dataset / "imagesTr",
        labels_folder=workspace.raw / dataset / "labelsTr",
        settings={
            "epochs": str(DemoOption.demo_epochs),
            "iterations per epoch": str(DemoOption.iterations_per_epoch),
            "optimiser": f"AdamW, {DemoOption.learning_rate}",
            "device": f"CPU, {os.cpu_count()} cores, one thread per training",
        },
        notes=(*(protocol.notes if protocol else ()), *NOTES, *exceptions(models)),
    )
