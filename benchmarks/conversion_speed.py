"""How long `skipx convert` takes, and how much memory: python -m benchmarks.conversion_speed FOLDER [--processes 2]

Makes up 260 small volumes like MSD Task04's and 30 CTs of BTCV's size (512 x 512 x 150, 0.9 GB packed) in FOLDER,
converts them through the command, nnU-Net's integrity check included, and writes the block `speed` of docs/datasets.md.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import nibabel
import numpy as np

from benchmarks.tables import replace_block
from nnunet_skipx.datasets.btcv import LABELLED
from nnunet_skipx.datasets.parallel import in_parallel
from nnunet_skipx.datasets.phantom import write_phantom
from nnunet_skipx.system.machine import describe_machine

SMALL, SMALL_CASES = (36, 50, 36), 260
LARGE = (512, 512, 150)
PAGE = Path(__file__).parents[1] / "docs" / "datasets.md"
SPACING = np.diag([0.76, 0.76, 3.0, 1.0])
NNUNET = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
ENTRY = "import sys; from nnunet_skipx.cli.main import main; sys.exit(main())"


def write_small(folder: Path) -> Path:
    """An MSD task of 260 small volumes: 20 phantoms, over and over."""
    task = write_phantom(folder, 20, 0, shape=SMALL)
    description = json.loads((task / "dataset.json").read_text())
    names = [f"phantom_{number:03d}.nii.gz" for number in range(1, SMALL_CASES + 1)]
    for number, name in enumerate(names[20:], 20):
        for part in ("imagesTr", "labelsTr"):
            (task / part / name).write_bytes((task / part / names[number % 20]).read_bytes())
    description["training"] = [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in names]
    (task / "dataset.json").write_text(json.dumps(description | {"numTraining": SMALL_CASES}))
    return task


def write_large(folder: Path, processes: int) -> Path:
    """RawData with 30 noisy CTs, which compress about as badly as real ones, and their organs."""
    root = folder / "RawData" / "Training"
    for part in ("img", "label"):
        (root / part).mkdir(parents=True)
    in_parallel(functools.partial(write_scan, root=root), LABELLED, processes, "Making up scans")
    return root.parent


def write_scan(number: str, root: Path) -> None:
    """One scan and its label."""
    rng = np.random.default_rng(int(number))
    labels = np.zeros(LARGE, dtype=np.uint8)
    for organ in range(1, 14):
        x, y, z = rng.integers(40, (380, 380, 100))
        labels[x : x + 60, y : y + 60, z : z + 30] = organ
    image = (rng.normal(0, 25, size=LARGE).astype(np.float32) + 10 * labels).astype(np.int16)
    image[:90], image[-90:] = -1024, -1024
    nibabel.Nifti1Image(image, SPACING).to_filename(root / "img" / f"img{number}.nii.gz")
    nibabel.Nifti1Image(labels, SPACING).to_filename(root / "label" / f"label{number}.nii.gz")


def measure(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Seconds of a command, and the largest memory in GB of it and its processes together."""
    environment = os.environ | {name: str(folder / name) for name in NNUNET}
    for name in NNUNET:
        (folder / name).mkdir(exist_ok=True)
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", ENTRY, *arguments], env=environment, start_new_session=True)
    peak = [0]
    watcher = threading.Thread(target=watch, args=(process, peak))
    watcher.start()
    if process.wait():
        raise SystemExit(f"{arguments} failed")
    seconds = time.perf_counter() - start
    watcher.join()
    return seconds, peak[0] / 1e9


def watch(process: subprocess.Popen, peak: list[int]) -> None:
    """The largest sum of the private memory of all processes of its session, every fifth of a second."""
    while process.poll() is None:
        used = 0
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(path.name)) == process.pid:
                    used += private_memory(path)
            except (ProcessLookupError, FileNotFoundError, PermissionError):
                continue  # it ended meanwhile, or is another user's
        peak[0] = max(peak[0], used)
        time.sleep(0.2)


def private_memory(path: Path) -> int:
    """Bytes of a process that no other has."""
    lines = (path / "smaps_rollup").read_text().splitlines()[1:]
    sizes = {key: int(value.split()[0]) for key, value in (line.split(":") for line in lines)}
    return 1024 * (sizes["Private_Clean"] + sizes["Private_Dirty"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a new folder with 4 GB free")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    sources = {
        "msd": (write_small(args.folder), "260 volumes of 36 x 50 x 36"),
        "btcv": (write_large(args.folder, args.processes), "30 CTs of 512 x 512 x 150"),
    }
    rows = ["| data | command | seconds | memory |", "|---|---|---|---|"]
    for number, (name, (source, title)) in enumerate(sources.items(), 1):
        command = ["convert", name, str(source), "-d", str(number), "-np", str(args.processes)]
        seconds, memory = measure(command, args.folder)
        what = f"`skipx convert {name}`, {args.processes} processes"
        rows.append(f"| {title} | {what} | {seconds:.0f} | {memory:.1f} GB |")
    replace_block(PAGE, "speed", "\n".join([*rows, "", f"Machine: {describe_machine()}."]))


if __name__ == "__main__":
    main()
