"""How long `skipx report` takes, with how much memory, on made-up results of four sizes.

`python -m benchmarks.report_speed` writes the table into docs/report.md. Results lie in nnU-Net's layout in a temporary
folder; label maps hold two halves of an ellipsoid as large as a hippocampus in its crop, or half as long as a head. The
last but one size writes 1,560 volumes first, which takes minutes and 200 MB of disk and is not counted.
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
HIPPOCAMPUS, WHOLE_HEAD = (36, 50, 36), (160, 192, 160)
LABELS = {"background": 0, "Anterior": 1, "Posterior": 2}


@dataclass(frozen=True)
class Size:
    """Rows, cases, and of what shape the label maps are that boundary metrics are taken from; None without them."""

    rows: int
    cases: int
    maps: tuple[int, int, int] | None = None


SIZES = (Size(5, 260), Size(5, 260, HIPPOCAMPUS), Size(5, 260, WHOLE_HEAD), Size(100, 1000))


def main() -> None:
    """Measure every size in a process of its own and write the table."""
    lines = ["| rows x cases | seconds | CPU seconds | MB at the peak | MB of the page |", "|---|---|---|---|---|"]
    for size in SIZES:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            seconds, cpu, megabytes, page = pool.submit(measure, size).result()
        maps = f", --nsd-mm 1 on maps of {' x '.join(map(str, size.maps))}" if size.maps else ""
        lines.append(
            f"| {size.rows} x {size.cases:,}{maps} | {seconds:.1f} | {cpu:.0f} | {megabytes:,.0f} | {page:.1f} |"
        )
        print(lines[-1], flush=True)
    told = f"Made-up results of two classes (`python -m benchmarks.report_speed`), {describe_machine(False)}."
    replace_block(DOCS / "report.md", "speed", "\n".join([told, "", *lines]))


def measure(size: Size) -> tuple[float, float, float, float]:
    """Seconds, CPU seconds with those of its processes, peak memory in MB and the page's size in MB of one report."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = [make_model(root, row, size.cases, size.maps) for row in range(size.rows)]
        options = ReportOptions(nsd_mm=[1.0] if size.maps else [], references=root / "labels")
        start, before = time.perf_counter(), cpu_seconds()
        report([folders], range(FOLDS), root / "out", options)
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - before
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return seconds, cpu, megabytes, (root / "out" / "report.html").stat().st_size / 1e6


def cpu_seconds() -> float:
    """Of this process and of those that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def make_model(root: Path, row: int, cases: int, maps: tuple[int, int, int] | None) -> Path:
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
        for number in numbers if maps else ():
            write_map(validation / f"case_{number:04d}.nii.gz", number, rng.uniform(-1, 1, 3), maps)
            if row == 0:
                write_map(root / "labels" / f"case_{number:04d}.nii.gz", number, np.zeros(3), maps)
    return folder


def summary_line(path: Path, rng: np.random.Generator) -> dict:
    """A case of nnU-Net's summary with skewed Dice."""
    metrics = {label: {"Dice": float(rng.beta(18, 2)), "n_ref": 100, "n_pred": 100} for label in ("1", "2")}
    return {"prediction_file": str(path), "reference_file": str(path), "metrics": metrics}


def write_map(path: Path, number: int, shift: np.ndarray, shape: tuple[int, int, int]) -> None:
    """Two halves of an ellipsoid over half of each axis, the same for the same number but for the shift in voxels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    radii = np.random.default_rng(number).uniform(0.2, 0.28, 3) * shape
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    centre = np.array(shape) / 2 + shift
    inside = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True)) < 1
    label_map = np.where(inside, np.where(axes[1] < centre[1], 1, 2), 0).astype(np.uint8)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(label_map), str(path))


if __name__ == "__main__":
    main()
