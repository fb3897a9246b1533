"""Studies that are made up: results in nnU-Net's layout, of label maps that are moved and swollen ellipsoids."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK

from nnunet_skipx.nnunet.replicates import replicate_results
from tests.plan_shapes import PLANNED, plans

FOLDS = 5
SHAPE = (24, 48, 40)
LABELS = {"background": 0, "Anterior": 1, "Posterior": 2}


@dataclass(frozen=True)
class MadeUpRow:
    """How far off a row's label maps are on average, in voxels, how much that scatters by case, and its speed.

    invents: in which share of the cases that lack the second class the row predicts it.
    """

    trainer: str
    off: float
    scatter: float
    seconds: float
    invents: float = 0


@dataclass(frozen=True)
class MadeUpStudy:
    """Rows on one data set. lacking: the share of the cases in which there is nothing of the second class.

    seed: of all that is drawn; another one is another data set.
    """

    rows: tuple[MadeUpRow, ...]
    dataset: str = "Dataset999_MadeUp"
    cases: int = 40
    replicates: int = 3
    epochs: int = 1000
    lacking: float = 0
    seed: int = 0

    def lacks(self, number: int) -> bool:
        """Whether a case is one of these, which are spread evenly."""
        return int((number + 1) * self.lacking) > int(number * self.lacking)


def make_study(root: Path, study: MadeUpStudy) -> list[Path]:
    """Write it: images and labels into a folder of its name in `root`, results into `root/results`.

    Returns the model folders.
    """
    data = root / study.dataset
    sizes = np.random.default_rng(1 + study.seed).uniform((6, 12, 9), (9, 17, 13), (study.cases, 3))
    references = [two_halves(size, np.zeros(3)) for size in sizes]
    for number, reference in enumerate(references):
        if study.lacks(number):
            reference[reference == 2] = 0
        write(data / "labelsTr" / f"case_{number:02d}.nii.gz", reference)
        grey = reference + np.random.default_rng(number).normal(1, 0.35, SHAPE)
        write(data / "imagesTr" / f"case_{number:02d}_0000.nii.gz", grey.astype(np.float32))
    hard = np.random.default_rng(2 + study.seed).gamma(6, 1 / 6, study.cases)  # the same cases are hard for every row
    for row in study.rows:
        for replicate in range(1, study.replicates + 1):
            make_model(root, study, row, replicate, sizes, references, hard)
    return [root / "results" / study.dataset / f"{row.trainer}__nnUNetPlans__3d_fullres" for row in study.rows]


def make_model(
    root: Path,
    study: MadeUpStudy,
    row: MadeUpRow,
    replicate: int,
    sizes: np.ndarray,
    references: list[np.ndarray],
    hard: np.ndarray,
) -> None:
    """A model folder with all that nnU-Net leaves there and a report reads."""
    results = replicate_results(root / "results", replicate)
    folder = results / study.dataset / f"{row.trainer}__nnUNetPlans__3d_fullres"
    content = {"labels": LABELS, "file_ending": ".nii.gz", "channel_names": {"0": "MRI"}, "numTraining": study.cases}
    planned = plans(PLANNED["3d-hippocampus"][0])
    planned["configurations"]["3d_fullres"] = planned["configurations"].pop("test")
    write_json(folder / "dataset.json", content)
    write_json(folder / "plans.json", planned)
    own = np.random.default_rng([study.seed + replicate, *row.trainer.encode()])
    scatter = np.random.default_rng([*row.trainer.encode(), *filter(None, [study.seed])]).normal(0, 1, study.cases)
    for fold in range(FOLDS):
        luck = own.normal(0, 0.02)
        lines = []
        for number in range(fold, study.cases, FOLDS):
            off = max(0.2, hard[number] * row.off + row.scatter * scatter[number] + luck + own.normal(0, 0.03))
            direction = np.random.default_rng(number).normal(size=3)
            made = two_halves(sizes[number] * 1.03, off * direction / np.linalg.norm(direction))
            if study.lacks(number) and np.random.default_rng(number).uniform() >= row.invents:
                made[made == 2] = 0
            path = folder / f"fold_{fold}" / "validation" / f"case_{number:02d}.nii.gz"
            write(path, made)
            lines.append({"prediction_file": str(path), "metrics": scores(references[number], made)})
        write_json(path.parent / "summary.json", {"metric_per_case": lines, **means(lines)})
        write_trainings_notes(path.parent.parent, row, study.epochs)


def scores(reference: np.ndarray, made: np.ndarray) -> dict[str, dict[str, float]]:
    """What nnU-Net's summary says of a case."""
    found = {}
    for label in (1, 2):
        truth, seen = reference == label, made == label
        both = int((truth & seen).sum())
        counts = {"n_ref": int(truth.sum()), "n_pred": int(seen.sum())}
        found[str(label)] = {"Dice": 2 * both / sum(counts.values()) if any(counts.values()) else np.nan, **counts}
    return found


def means(lines: list[dict]) -> dict[str, dict]:
    """What nnU-Net's summary says of all cases: Dice of each class, and of all."""
    dice = {label: float(np.nanmean([line["metrics"][label]["Dice"] for line in lines])) for label in ("1", "2")}
    return {
        "mean": {label: {"Dice": value} for label, value in dice.items()},
        "foreground_mean": {"Dice": float(np.nanmean(list(dice.values())))},
    }


def write_trainings_notes(folder: Path, row: MadeUpRow, epochs: int) -> None:
    """A log of a training, and its debug.json."""
    rng = np.random.default_rng(list(f"{row.trainer} {folder.name}".encode()))
    log = []
    for epoch in range(epochs):
        loss, dice = -0.9 + 0.8 * np.exp(-epoch / 15) + rng.normal(0, 0.01), 0.88 - 0.7 * np.exp(-epoch / 12)
        texts = (
            f"Epoch {epoch}",
            f"train_loss {loss - 0.02:.4f}",
            f"val_loss {loss:.4f}",
            f"Pseudo dice [{dice:.4f}, {dice - 0.01:.4f}]",
            f"Epoch time: {row.seconds + rng.normal(0, 1):.2f} s",
        )
        log += [f"2026-01-01 00:00:00.000001: {text} " for text in texts]
    (folder / "training_log_2026_1_1_00_00_00.txt").write_text("\n".join(log))
    noted = {"num_epochs": str(epochs), "num_iterations_per_epoch": "250", "optimizer": "SGD (", "initial_lr": "0.01"}
    write_json(folder / "debug.json", noted | {"torch_version": "2.15.0", "gpu_name": "made up", "device": "cuda"})


def two_halves(radii: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """An ellipsoid in two halves, moved by that many voxels."""
    axes = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    centre = np.array(SHAPE) / 2 + shift
    inside = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True)) < 1
    return np.where(inside, np.where(axes[1] < centre[1], 1, 2), 0).astype(np.uint8)


def write(path: Path, volume: np.ndarray) -> None:
    """A volume, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(volume), str(path))


def write_json(path: Path, content: dict) -> None:
    """Likewise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
