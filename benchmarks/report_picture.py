"""Draw docs/images/report.png, the first screen of a report: `python -m benchmarks.report_picture`.

The study is made up and says so: five rows that differ by what is written in `ROWS`, in nnU-Net's layout, with label
maps that are moved and swollen ellipsoids. Needs Chromium. With `--keep FOLDER` the study and its report stay there.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
from PIL import Image

from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.nnunet.replicates import replicate_results
from nnunet_skipx.report.command import ReportOptions, report
from tests.plan_shapes import PLANNED, plans

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "report.png"
DATASET = "Dataset999_MadeUp"
CASES, FOLDS, REPLICATES = 40, 5, 3
EPOCHS = 100  # a test run, so that nobody takes the picture for a result, and the caution is in it
SHAPE = (24, 48, 40)
LABELS = {"background": 0, "Anterior": 1, "Posterior": 2}
WINDOW = (1400, 930)  # the first screen
COLOURS = 128
CHROMIUM = [
    f"--{option}"
    for option in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "hide-scrollbars",
    )
]


@dataclass(frozen=True)
class MadeUpRow:
    """How far off a row's label maps are on average, in voxels, how much that scatters by case, and its speed."""

    trainer: str
    off: float
    scatter: float
    seconds: float


ROWS = (
    MadeUpRow("nnUNetTrainer", 1.50, 0.00, 62.0),
    MadeUpRow("nnUNetTrainerUTANet", 1.32, 0.22, 88.0),
    MadeUpRow("nnUNetTrainerUTANet_twin", 1.49, 0.04, 86.0),
    MadeUpRow("nnUNetTrainerXUNet", 1.46, 0.30, 95.0),
    MadeUpRow("nnUNetTrainerU2Net", 1.70, 0.22, 71.0),
)


def main() -> None:
    """Make the study, its report and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="a new folder for the study and its report")
    keep = parser.parse_args().keep
    append_to_environment()  # our trainers, whose networks are counted
    with tempfile.TemporaryDirectory() as name:
        root = keep or Path(name)
        page = make_report(root)
        browse(page, f"--screenshot={root / 'screen.png'}", f"--window-size={WINDOW[0]},{WINDOW[1]}")
        picture = Image.open(root / "screen.png").convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        picture.save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


def browse(page: Path, *options: str) -> None:
    """Have headless Chromium do what the options say to a page."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise FileNotFoundError("no Chromium is installed (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as profile:
        command = [program, *CHROMIUM, f"--user-data-dir={profile}", *options, page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def make_report(root: Path) -> Path:
    """The study in `root`, and its page."""
    numbers = range(CASES)
    sizes = np.random.default_rng(1).uniform((6, 12, 9), (9, 17, 13), (CASES, 3))
    references = [two_halves(size, np.zeros(3)) for size in sizes]
    for number in numbers:
        write(root / "labelsTr" / f"case_{number:02d}.nii.gz", references[number])
        grey = references[number] + np.random.default_rng(number).normal(1, 0.35, SHAPE)
        write(root / "imagesTr" / f"case_{number:02d}_0000.nii.gz", grey.astype(np.float32))
    hard = np.random.default_rng(2).gamma(6, 1 / 6, CASES)  # the same cases are hard for every row
    for row in ROWS:
        for replicate in range(1, REPLICATES + 1):
            make_model(root, row, replicate, sizes, references, hard)
    folders = [root / "results" / DATASET / f"{row.trainer}__nnUNetPlans__3d_fullres" for row in ROWS]
    options = ReportOptions(images=root / "imagesTr", references=root / "labelsTr", command="skipx report -d 999")
    report([folders], None, root / "report", options)
    return root / "report" / "report.html"


def make_model(
    root: Path, row: MadeUpRow, replicate: int, sizes: np.ndarray, references: list[np.ndarray], hard: np.ndarray
) -> None:
    """A model folder with all that nnU-Net leaves there and a report reads."""
    results = replicate_results(root / "results", replicate)
    folder = results / DATASET / f"{row.trainer}__nnUNetPlans__3d_fullres"
    content = {"labels": LABELS, "file_ending": ".nii.gz", "channel_names": {"0": "MRI"}, "numTraining": CASES}
    planned = plans(PLANNED["3d-hippocampus"][0])
    planned["configurations"]["3d_fullres"] = planned["configurations"].pop("test")
    write_json(folder / "dataset.json", content)
    write_json(folder / "plans.json", planned)
    own = np.random.default_rng([replicate, *row.trainer.encode()])
    scatter = np.random.default_rng(list(row.trainer.encode())).normal(0, 1, CASES)
    for fold in range(FOLDS):
        luck = own.normal(0, 0.02)
        lines = []
        for number in range(fold, CASES, FOLDS):
            off = max(0.2, hard[number] * row.off + row.scatter * scatter[number] + luck + own.normal(0, 0.03))
            direction = np.random.default_rng(number).normal(size=3)
            made = two_halves(sizes[number] * 1.03, off * direction / np.linalg.norm(direction))
            path = folder / f"fold_{fold}" / "validation" / f"case_{number:02d}.nii.gz"
            write(path, made)
            lines.append({"prediction_file": str(path), "metrics": scores(references[number], made)})
        write_json(path.parent / "summary.json", {"metric_per_case": lines, "mean": {}, "foreground_mean": {}})
        write_trainings_notes(path.parent.parent, row)


def scores(reference: np.ndarray, made: np.ndarray) -> dict[str, dict[str, float]]:
    """What nnU-Net's summary says of a case."""
    found = {}
    for label in (1, 2):
        truth, seen = reference == label, made == label
        both = int((truth & seen).sum())
        counts = {"n_ref": int(truth.sum()), "n_pred": int(seen.sum())}
        found[str(label)] = {"Dice": 2 * both / sum(counts.values()), **counts}
    return found


def write_trainings_notes(folder: Path, row: MadeUpRow) -> None:
    """A log of a training, and its debug.json."""
    rng = np.random.default_rng(list(f"{row.trainer} {folder.name}".encode()))
    log = []
    for epoch in range(EPOCHS):
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
    noted = {"num_epochs": str(EPOCHS), "num_iterations_per_epoch": "250", "optimizer": "SGD (", "initial_lr": "0.01"}
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


if __name__ == "__main__":
    main()
