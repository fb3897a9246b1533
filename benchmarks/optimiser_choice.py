"""Which optimiser UDTransNet is trained with: nnU-Net's SGD against `_adamw`, on real data, with nnU-Net as yardstick.

`python -m benchmarks.optimiser_choice DEMO_FOLDER` takes the folder of a `skipx demo` on real data (its data and its
narrow plans), trains one fold each and writes the curves and a table into
docs/architectures/udtransnet.md. About ten minutes on two cores; finished trainings are not repeated.
"""

import argparse
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from benchmarks.tables import replace_block
from nnunet_skipx.demo.prepare import PLANS
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.machine import describe_machine
from nnunet_skipx.training.variants import trainer_class

DOCS = Path(__file__).parents[1] / "docs"
NAMES = ("nnUNetTrainer", "nnUNetTrainerUDTransNet", "nnUNetTrainerUDTransNet_adamw")  # the first as yardstick
EPOCHS, ITERATIONS, FOLD = 8, 50, 0
EMBEDDING = 64  # narrow like the plans


@dataclass(frozen=True)
class Run:
    """One training: its trainer's name and the demo folder it takes data from and writes to."""

    name: str
    folder: Path

    @property
    def curves(self) -> Path:
        return self.folder / "optimiser_choice" / f"{self.name}.json"


def train(run: Run) -> None:
    """Train one fold on a single thread and write the curves and the Dice of the validation cases."""
    if run.curves.is_file():
        return
    torch.set_num_threads(1)
    workspace = Workspace(run.folder)
    workspace.create()
    os.environ.update(nnUNet_n_proc_DA="0", nnUNet_results=str(run.folder / "optimiser_choice"))
    preprocessed = next(workspace.preprocessed.iterdir())
    plans = json.loads((preprocessed / f"{PLANS}.json").read_text()) | {"continue_training": False}
    cls = trainer_class(f"{run.name}_{EPOCHS}epochs")
    cls = type(cls.__name__, (cls,), {"architecture_kwargs": {"embedding": EMBEDDING}})
    torch.manual_seed(0)
    np.random.seed(0)
    dataset_json = json.loads((preprocessed / "dataset.json").read_text())
    trainer = cls(plans, "3d_fullres", FOLD, dataset_json, torch.device("cpu"))
    trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = ITERATIONS, 10
    finished = Path(trainer.output_folder) / "checkpoint_final.pth"
    if finished.is_file():
        trainer.load_checkpoint(str(finished))
    else:
        trainer.run_training()
    trainer.perform_actual_validation()
    log = trainer.logger.local_logger.my_fantastic_logging
    summary = json.loads((Path(trainer.output_folder) / "validation" / "summary.json").read_text())
    curves = {key: [float(value) for value in log[key]] for key in ("train_losses", "val_losses", "mean_fg_dice")}
    write_json(run.curves, curves | {"dice": summary["foreground_mean"]["Dice"]})


def draw(runs: list[Run], output: Path) -> None:
    """Training loss and pseudo Dice by epoch, one line per training."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, key, label in ((left, "train_losses", "training loss"), (right, "mean_fg_dice", "pseudo Dice")):
        for run in runs:
            axes.plot(json.loads(run.curves.read_text())[key], label=run.name)
        axes.set(xlabel="epoch", ylabel=label)
    right.legend(fontsize=7)
    figure.savefig(output, metadata={"Date": None})


def table(runs: list[Run]) -> str:
    """Losses at the end, largest rise between epochs and Dice of the validation cases, as Markdown."""
    head = "| trainer | training loss, last epoch | largest rise of it | Dice, validation cases |"
    lines = [head, "|---|---|---|---|"]
    for run in runs:
        curves = json.loads(run.curves.read_text())
        rise = max(0.0, float(np.diff(curves["train_losses"]).max()))
        lines.append(f"| `{run.name}` | {curves['train_losses'][-1]:.3f} | {rise:.3f} | {curves['dice']:.3f} |")
    lines += [
        "",
        f"One fold of MSD Task04, {EPOCHS} epochs of {ITERATIONS} iterations, networks a quarter as wide as "
        f"planned, one seed, on {describe_machine()}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    (folder / "optimiser_choice").mkdir(exist_ok=True)
    runs = [Run(name, folder) for name in NAMES]
    # Not multiprocessing's pool: nnU-Net's validation starts processes of its own, which its workers must not.
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        list(pool.map(train, runs))
    image = DOCS / "images" / "udtransnet_optimiser.svg"
    draw(runs, image)
    picture = f"![Curves of the trainings](../images/{image.name})"
    replace_block(DOCS / "architectures" / "udtransnet.md", "optimiser", f"{picture}\n\n{table(runs)}")


if __name__ == "__main__":
    main()
