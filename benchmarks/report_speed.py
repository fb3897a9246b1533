"""How long `skipx report` takes, with how much memory, on made-up results of three sizes.

`python -m benchmarks.report_speed` writes the table into docs/report.md. Results lie in nnU-Net's layout in a temporary
folder; label maps hold two halves of an ellipsoid as large as a hippocampus.
"""

import json
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import SimpleITK

from benchmarks.tables import replace_block
from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.system.machine import describe_machine

DOCS = Path(__file__).parents[1] / "docs"
FOLDS = 5
SHAPE = (36, 50, 36)
LABELS = {"background": 0, "Anterior": 1, "Posterior": 2}


@dataclass(frozen=True)
class Size:
    """Rows, cases, and whether boundary metrics are taken."""

    rows: int
    cases: int
    boundary: bool


SIZES = (Size(5, 260, False), Size(5, 260, True), Size(100, 1000, False))


def main() -> None:
    """Measure every size in a process of its own and write the table."""
    lines = ["| rows x cases | seconds | MB at the peak | MB of the page |", "|---|---|---|---|"]
    for size in SIZES:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            seconds, megabytes, page = pool.submit(measure, size).result()
        name = f"{size.rows} x {size.cases:,}{', with --nsd-mm 1' if size.boundary else ''}"
        lines.append(f"| {name} | {seconds:.1f} | {megabytes:,.0f} | {page:.1f} |")
        print(lines[-1], flush=True)
    told = f"Made-up results of two classes (`python -m benchmarks.report_speed`), {describe_machine(False)}."
    replace_block(DOCS / "report.md", "speed", "\n".join([told, "", *lines]))


def measure(size: Size) -> tuple[float, float, float]:
    """Seconds, peak memory in MB and the page's size in MB of one report."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = [make_model(root, row, size.cases, size.boundary) for row in range(size.rows)]
        options = ReportOptions(nsd_mm=[1.0] if size.boundary else [], references=root / "labels")
        start = time.perf_counter()
        report([folders], range(FOLDS), root / "out", options)
        seconds = time.perf_counter() - start
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return seconds, megabytes, (root / "out" / "report.html").stat().st_size / 1e6


def make_model(root: Path, row: int, cases: int, with_maps: bool) -> Path:
    """A model folder with a summary per fold, and its label maps where they are wanted."""
    rng = np.random.default_rng(row)
    trainer = "nnUNetTrainer" if row == 0 else f"nnUNetTrainerX{row}"
    folder = root / "results" / "Dataset004_Made" / f"{trainer}__nnUNetPlans__3d_fullres"
    folder.mkdir(parents=True)
    content = {"labels": LABELS, "file_ending": ".nii.gz", "channel_names": {"0": "MRI"}, "numTraining": cases}
    (folder / "dataset.json").write_text(json.dumps(content))
    for fold in range(FOLDS):
        validation = folder / f"fold_{fold}" / "validation"
        validation.mkdir(parents=True)
        numbers = range(fold, cases, FOLDS)
        lines = [summary_line(validation / f"case_{number:04d}.nii.gz", rng) for number in numbers]
        summary = {"metric_per_case": lines, "mean": {}, "foreground_mean": {}}
        (validation / "summary.json").write_text(json.dumps(summary))
        for number in numbers if with_maps else ():
            write_map(validation / f"case_{number:04d}.nii.gz", number, rng.uniform(-1, 1, 3))
            if row == 0:
                write_map(root / "labels" / f"case_{number:04d}.nii.gz", number, np.zeros(3))
    return folder


def summary_line(path: Path, rng: np.random.Generator) -> dict:
    """A case of nnU-Net's summary with skewed Dice."""
    metrics = {label: {"Dice": float(rng.beta(18, 2)), "n_ref": 100, "n_pred": 100} for label in ("1", "2")}
    return {"prediction_file": str(path), "reference_file": str(path), "metrics": metrics}


def write_map(path: Path, number: int, shift: np.ndarray) -> None:
    """Two halves of an ellipsoid, the same for the same number but for the shift in voxels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    radii = np.random.default_rng(number).uniform((7, 10, 7), (10, 14, 10))
    axes = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    centre = np.array(SHAPE) / 2 + shift
    inside = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True)) < 1
    label_map = np.where(inside, np.where(axes[1] < centre[1], 1, 2), 0).astype(np.uint8)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(label_map), str(path))


if __name__ == "__main__":
    main()
