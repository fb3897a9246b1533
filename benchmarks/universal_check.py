"""A universal run from its creation to a new domain, with nnU-Net's commands, on the CPU.

`python -m benchmarks.universal_check FOLDER [--data Task04_Hippocampus]` makes three domains: the task as it is; in
thick slices with other contrast and labels; and a phantom. It trains each alone, all three together, and the first and
the third without the second, to which that run is then adapted; extracts, predicts, reports; and writes the table into
docs/universal.md. Every training has the demo's schedule, 200 iterations for each of its domains. What is done is not
done again. `--widths 4 --option source --only-adapt` repeats the adaptation with other networks (in another folder).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tables import replace_block
from benchmarks.thick_slices import write_thick_slices
from nnunet_skipx.datasets.phantom import write_phantom
from nnunet_skipx.demo.prepare import PHANTOM_SHAPE, PLANS, prepare
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.machine import describe_machine

PAGE = Path(__file__).parents[1] / "docs" / "universal.md"
ALL, WITHOUT = 500, 501  # ids of the universal runs


@dataclass(frozen=True)
class Check:
    """Where everything lies, which networks are trained, and for how long (None: the demo's epochs)."""

    workspace: Workspace
    option: str
    plans: str
    epochs: int | None = None

    @property
    def trainer(self) -> str:
        epochs = "" if self.epochs is None else f"{self.epochs}epochs"
        return "_".join(["nnUNetTrainerU2Net", *filter(None, [self.option, "demo", epochs])])

    @property
    def universal(self) -> str:
        return self.trainer.replace("U2Net", "U2NetUniversal")

    def train(self, dataset: str, trainer: str) -> float:
        """nnUNetv2_train on fold 0; mean Dice of its validation."""
        summary = self.summary(dataset, trainer)
        if not summary.is_file():
            run(
                "nnUNetv2_train",
                dataset_number(dataset),
                "3d_fullres",
                0,
                "-tr",
                trainer,
                "-p",
                self.plans,
                "-device",
                "cpu",
                "--c",
            )
        return self.dice(dataset, trainer)

    def dice(self, dataset: str, trainer: str) -> float:
        """Mean Dice of a validation."""
        return float(json.loads(self.summary(dataset, trainer).read_text())["foreground_mean"]["Dice"])

    def summary(self, dataset: str, trainer: str) -> Path:
        """What a finished validation has written."""
        return self.fold(dataset, trainer) / "validation" / "summary.json"

    def fold(self, dataset: str, trainer: str) -> Path:
        """Folder of fold 0."""
        return self.workspace.results / dataset / f"{trainer}__{self.plans}__3d_fullres" / "fold_0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, help="an MSD task folder (default: a phantom)")
    parser.add_argument("--option", default="", help="of the trainers: source, full, series or parallel")
    parser.add_argument("--widths", type=int, default=1, help="times the demo's")
    parser.add_argument("--only-adapt", action="store_true", help="leave the run over all three domains out")
    parser.add_argument("--no-docs", action="store_true", help="print the table only")
    args = parser.parse_args()
    start = time.monotonic()
    workspace, datasets = prepared(args.folder, args.data)
    check = Check(workspace, args.option, widened(workspace, datasets, args.widths))
    table = check_adaptation(check, datasets) if args.only_adapt else check_all(check, datasets)
    minutes = (time.monotonic() - start) / 60
    table += f"\n\n`{' '.join(['python -m benchmarks.universal_check', *shown(args)])}`, {describe_machine()}."
    print(f"{table}\nminutes: {minutes:.1f}")
    if not args.no_docs:
        replace_block(PAGE, f"check{args.option}", table)


def prepared(folder: Path, data: Path | None) -> tuple[Workspace, list[str]]:
    """The workspace, which this process' environment then points at, and the names of its three data sets."""
    workspace = Workspace(folder.resolve())
    workspace.create()
    # nnU-Net's eight export workers take half a minute to start on two cores
    os.environ |= {"nnUNet_n_proc_DA": "0", "nnUNet_def_n_proc": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return workspace, [prepare(workspace, source)[0] for source in sources(workspace, data)]


def shown(args: argparse.Namespace) -> list[str]:
    """The arguments as a reader would type them."""
    given = ["FOLDER", *(["--data", args.data.name] if args.data else [])]
    given += ["--option", args.option] if args.option else []
    given += ["--widths", str(args.widths)] if args.widths > 1 else []
    return given + (["--only-adapt"] if args.only_adapt else [])


def sources(workspace: Workspace, data: Path | None) -> list[Path]:
    """Task folders of the three domains."""
    phantom, other = workspace.folder / "Task99_Phantom", workspace.folder / "Task98_Other"
    if not phantom.is_dir():
        write_phantom(workspace.folder, shape=PHANTOM_SHAPE)
    if data is None and not other.is_dir():
        (write_phantom(workspace.folder / "other", seed=1, shape=PHANTOM_SHAPE)).rename(other)
    first = data or other
    return [first, write_thick_slices(first, workspace.folder), phantom]


def widened(workspace: Workspace, datasets: list[str], factor: int) -> str:
    """The plans to train with: the demo's, or copies with wider networks."""
    if factor == 1:
        return PLANS
    name = f"nnUNetDemo{factor}xPlans"
    for dataset in datasets:
        folder = workspace.preprocessed / dataset
        plans = json.loads((folder / f"{PLANS}.json").read_text()) | {"plans_name": name}
        for configuration in plans["configurations"].values():
            if "architecture" in configuration:
                arguments = configuration["architecture"]["arch_kwargs"]
                arguments["features_per_stage"] = [factor * width for width in arguments["features_per_stage"]]
        write_json(folder / f"{name}.json", plans)
    return name


def check_all(check: Check, datasets: list[str]) -> str:
    """Every step; the table."""
    ids = [dataset_number(dataset) for dataset in datasets]
    alone = [check.train(dataset, check.trainer) for dataset in datasets]
    create(check, ALL, ids)
    check.train(f"Dataset{ALL}_Universal", check.universal)
    run("nnUNetv2_train", ALL, "3d_fullres", 0, "-tr", check.universal, "-p", check.plans, "-device", "cpu", "--val")
    run("skipx", "universal", "extract", "-d", ALL, "-f", "all")
    extracted = f"{check.trainer}_from{ALL}"
    together = [check.dice(dataset, extracted) for dataset in datasets]
    predict(check, datasets[0], extracted)
    run(
        "skipx",
        "report",
        "-d",
        *ids,
        "-p",
        check.plans,
        "-f",
        0,
        "--baseline",
        check.trainer,
        "-tr",
        check.trainer,
        extracted,
        "-o",
        check.workspace.report,
    )
    rows = ["| domain | alone | universal |", "|---|---|---|"]
    for dataset, one, all_three in zip(datasets, alone, together, strict=True):
        rows.append(f"| {dataset} | {one:.3f} | {all_three:.3f} |")
    return "\n".join([*rows, "", check_adaptation(check, datasets)])


def check_adaptation(check: Check, datasets: list[str]) -> str:
    """The run without the second domain, and the adaptation to that; a sentence."""
    first, held_back, third = datasets
    alone = check.train(held_back, check.trainer)
    create(check, WITHOUT, [dataset_number(first), dataset_number(third)])
    check.train(f"Dataset{WITHOUT}_Universal", check.universal)
    adapted = f"{check.trainer}_adapt{WITHOUT}"
    if not check.summary(held_back, adapted).is_file():
        run(
            "skipx",
            "universal",
            "adapt",
            "--id",
            WITHOUT,
            "-d",
            dataset_number(held_back),
            "-f",
            0,
            "-p",
            check.plans,
            "-device",
            "cpu",
        )
    dice = check.dice(held_back, adapted)
    return (
        f"{held_back}, adapted to a run over the other two: {dice:.3f}, alone {alone:.3f}: {dice / alone:.2f} times. "
        f"{trained_parameters(check, held_back, adapted)}"
    )


def create(check: Check, run_number: int, ids: list[int]) -> None:
    """`skipx universal create`, once for these plans."""
    folder = check.workspace.preprocessed / f"Dataset{run_number}_Universal"
    if folder.is_dir() and not (folder / f"{check.plans}.json").is_file():
        raise ValueError(f"{folder} was created with other plans: use another FOLDER for other --widths")
    if not folder.is_dir():
        run("skipx", "universal", "create", "-d", *ids, "--id", run_number, "-p", check.plans)


def predict(check: Check, dataset: str, trainer: str) -> None:
    """Stock prediction of the test images with an extracted model."""
    output = check.workspace.folder / f"predicted_{trainer}"
    shutil.rmtree(output, ignore_errors=True)
    images = check.workspace.raw / dataset / "imagesTs"
    run(
        "nnUNetv2_predict",
        "-d",
        dataset_number(dataset),
        "-i",
        images,
        "-o",
        output,
        "-f",
        0,
        "-c",
        "3d_fullres",
        "-tr",
        trainer,
        "-p",
        check.plans,
        "-device",
        "cpu",
        "-npp",
        1,
        "-nps",
        1,
    )
    found, wanted = (len(list(folder.glob("*.nii.gz"))) for folder in (output, images))
    if found != wanted:
        raise RuntimeError(f"{found} of {wanted} images were predicted")


def trained_parameters(check: Check, dataset: str, trainer: str) -> str:
    """What the adaptation's log says about its parameters."""
    log = max((check.fold(dataset, trainer)).glob("training_log_*.txt"), key=lambda path: path.stat().st_size)
    line = next(line for line in log.read_text().splitlines() if "Shared weights of" in line)
    trained, total = (int(word) for word in line.split("training ")[1].split() if word.isdigit())
    return f"Trained were {trained:,} of the network's {total:,} parameters ({trained / total:.1%})."


def run(program: str, *arguments: object) -> None:
    """A command of this Python environment; RuntimeError if it fails."""
    print("$", program, *arguments, flush=True)
    command = [str(Path(sys.executable).parent / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")


if __name__ == "__main__":
    main()
