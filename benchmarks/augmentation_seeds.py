"""Whether a short real training comes out alike with the augmentation in workers and on the device (`_gpuaug`).

`python -m benchmarks.augmentation_seeds FOLDER --data TASK_FOLDER [--seeds N]` trains the demo's U-Net on fold 0 with
each seed in both modes, and writes the pseudo Dice of the last epoch, over 50 validation batches instead of the demo's
2, into docs/augmentation.md. What is in FOLDER/augmentation_seeds.json is not trained again.
"""

import argparse
import functools
import os
import statistics
from pathlib import Path
from unittest.mock import patch

import torch
from scipy.stats import ttest_ind

from benchmarks.tables import replace_block
from nnunet_skipx.demo.prepare import prepare
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.nnunet.planned import read_planned
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.json_files import anything, object_of, read_json
from nnunet_skipx.system.machine import describe_machine
from nnunet_skipx.training.options import demo as options
from nnunet_skipx.training.variants import trainer_class

PAGE = Path(__file__).parents[1] / "docs" / "augmentation.md"
MODES = {"in worker processes": "nnUNetTrainer_demo", "on the device": "nnUNetTrainer_demo_gpuaug"}
VALIDATION_BATCHES = 50
SEED_STEP = 100  # epochs: seeds of one training never meet those of another


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to work")
    parser.add_argument("--data", type=Path, required=True, help="an MSD task folder")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    workspace = Workspace(args.folder)
    workspace.create()
    dataset, configuration = prepare(workspace, args.data)
    os.environ.update(nnUNet_n_proc_DA="0")  # in this process, so that a seed repeats itself
    store = args.folder / "augmentation_seeds.json"
    found = read_json(store, object_of(anything)) if store.is_file() else {}
    for seed in range(args.seeds):
        for mode, trainer in MODES.items():
            if f"{mode}, {seed}" not in found:
                found[f"{mode}, {seed}"] = pseudo_dice(trainer, dataset, configuration, seed)
                write_json(store, found)
    table = seeds_table({mode: [found[f"{mode}, {seed}"] for seed in range(args.seeds)] for mode in MODES})
    print(table)
    told = f"`python -m benchmarks.augmentation_seeds FOLDER --data {args.data.name}`, {describe_machine()}."
    replace_block(PAGE, "seeds", f"{table}\n\n{told}")


def pseudo_dice(name: str, dataset: str, configuration: str, seed: int) -> float:
    """nnU-Net's mean pseudo Dice after the last epoch of one training."""
    seeded = functools.partial(seed_like_the_demo, seed)
    with patch.object(options, "seed_everything", seeded):
        plans, dataset_json = read_planned(dataset, "nnUNetDemoPlans")
        plans["continue_training"] = False
        trainer = trainer_class(name)(plans, configuration, 0, dataset_json, torch.device("cpu"))
        trainer.num_val_iterations_per_epoch = VALIDATION_BATCHES
        trainer.disable_checkpointing = True
        trainer.run_training()
    return float(trainer.logger.get_value("mean_fg_dice", step=-1))


def seed_like_the_demo(
    seed: int, fold: int | str, replicate: int, epoch: int, real: object = options.seed_everything
) -> None:
    """The demo's seeding, shifted by the training's own seed."""
    assert callable(real)
    real(fold, replicate, epoch + SEED_STEP * seed)


def seeds_table(dice: dict[str, list[float]]) -> str:
    """A row per mode, and Welch's 95 % interval of the difference of their means."""
    seeds = [f"seed {seed}" for seed in range(len(next(iter(dice.values()))))]
    head = "| augmentation | " + " | ".join(seeds) + " | mean | SD |"
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for mode, values in dice.items():
        cells = [f"{value:.3f}" for value in (*values, statistics.mean(values), statistics.stdev(values))]
        lines.append(f"| {mode} | {' | '.join(cells)} |")
    workers, device = dice.values()
    test = ttest_ind(device, workers, equal_var=False)
    low, high = test.confidence_interval(0.95)
    difference = statistics.mean(device) - statistics.mean(workers)
    lines += ["", f"Difference of the means {difference:+.3f}, Welch's 95 % interval {low:+.3f} to {high:+.3f}."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
