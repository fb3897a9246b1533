"""Patch, batch and predicted memory of all networks, planned for several GPUs: the table in docs/plan.md,
written there unless sizes are given.

    python -m benchmarks.vram_table [GB ...]

Plans a made-up data set in a temporary folder: no images, only a fingerprint as nnU-Net makes it, by default that of 30
abdominal CT scans (148x512x512 voxels of 3x0.76x0.76 mm, 13 organs). Needs no GPU; takes about half an hour.
"""

import io
import json
import os
import sys
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from benchmarks.tables import replace_block

CT = (148, 512, 512), (3.0, 0.76, 0.76), 30, 13
SIZES = [8.0, 11.0, 24.0]
PAGE = Path(__file__).parents[1] / "docs" / "plan.md"
FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")


@dataclass(frozen=True)
class MadeUp:
    """What a fingerprint says: voxels and mm of every case, their number, and classes besides the background."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    cases: int
    classes: int

    def write(self, folder: Path, name: str = "Dataset998_MadeUp") -> None:
        """The files in nnUNet_raw and nnUNet_preprocessed, both in `folder`, that nnU-Net plans with."""
        names = [f"case_{number:03}" for number in range(self.cases)]
        intensities = {
            "max": 3000.0,
            "mean": 80.0,
            "median": 80.0,
            "min": -1000.0,
            "percentile_00_5": -900.0,
            "percentile_99_5": 300.0,
            "std": 130.0,
        }
        fingerprint = {
            "foreground_intensity_properties_per_channel": {"0": intensities},
            "median_relative_size_after_cropping": 1.0,
            "shapes_after_crop": [list(self.shape)] * self.cases,
            "spacings": [list(self.spacing)] * self.cases,
        }
        content = {
            "channel_names": {"0": "CT"},
            "labels": {"background": 0} | {f"class{c}": c for c in range(1, self.classes + 1)},
            "numTraining": self.cases,
            "file_ending": ".nii.gz",
            "overwrite_image_reader_writer": "SimpleITKIO",
            "dataset": {case: {"images": [f"{case}_0000.nii.gz"], "label": f"{case}.nii.gz"} for case in names},
        }
        for part, file, written in (
            ("nnUNet_raw", "dataset.json", content),
            ("nnUNet_preprocessed", "dataset_fingerprint.json", fingerprint),
        ):
            path = folder / part / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(written))


def main(sizes: list[float]) -> None:
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

    from nnunet_skipx.architectures import NETWORKS
    from nnunet_skipx.discovery import append_to_environment
    from nnunet_skipx.planning.spelling import STOCK
    from nnunet_skipx.planning.vram import GIGABYTE, plan_for_vram
    from nnunet_skipx.system.text_table import text_table

    append_to_environment()
    with redirect_stdout(io.StringIO()):
        ExperimentPlanner(998).plan_experiment()
    rows = []
    for architecture in (STOCK, *NETWORKS):
        for gigabytes in sizes:
            with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                _, memory = plan_for_vram("998", architecture, gigabytes, "nnUNetPlans")
            for configuration, one in memory.items():
                if configuration in ("2d", "3d_fullres", "3d_lowres"):
                    patch = "x".join(map(str, one.patch_size))
                    rows.append(
                        {
                            "network": architecture,
                            "--vram": f"{gigabytes:g}",
                            "configuration": configuration,
                            "patch": patch,
                            "batch": f"{one.batch_size}",
                            "predicted GB": f"{one.peak / GIGABYTE:.2f}",
                        }
                    )
                    print(*rows[-1].values(), file=sys.stderr)
    print(text_table(rows))
    if sizes == SIZES:
        replace_block(PAGE, "vram", f"\n{indent(text_table(rows), '    ')}\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root:
        os.environ |= {name: str(Path(root, name)) for name in FOLDERS}  # nnU-Net reads them once
        MadeUp(*CT).write(Path(root))
        main([float(size) for size in sys.argv[1:]] or SIZES)
