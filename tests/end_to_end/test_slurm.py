"""`skipx bench --slurm` on a real Slurm of one node: an array of cells, of which one is killed and requeued."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from tests.end_to_end.conftest import DATASET, PLANS, environment
from tests.end_to_end.slurm_node import single_node_slurm, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]
TRAINER = "nnUNetTrainerUTANet_demo"


@pytest.fixture
def slurm(workplace: Path, planned: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    with single_node_slurm(tmp_path) as variables:
        yield {**environment(workplace), **{name: variables[name] for name in ("SLURM_CONF", "PATH")}}


def run(variables: dict[str, str], *command: str) -> str:
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def wait(what: str, done: object, variables: dict[str, str], seconds: int = 400) -> None:
    deadline = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        if time.monotonic() > deadline:
            queue = run(variables, "squeue")
            pytest.fail(f"{what} did not happen within {seconds} s\n{queue}")
        time.sleep(0.3)


def logs(cell: Cell) -> list[Path]:
    return list(cell.folder.glob("training_log_*.txt"))


def test_a_killed_job_is_requeued_and_finishes(workplace: Path, slurm: dict[str, str]) -> None:
    bench = [
        sys.executable,
        "-m",
        "nnunet_skipx.cli",
        "bench",
        "-d",
        "99",
        "-c",
        "3d_fullres",
        "-p",
        PLANS,
        "-tr",
        TRAINER,
        "-f",
        "0",
        "1",
        "-device",
        "cpu",
    ]
    output = run(slurm, *bench, "--slurm", "time=60", "cpus=1", "gpus=0", "comment=skipx")
    job = output.split("Slurm job ")[1].split(":")[0]
    cells = [Cell(workplace / "nnUNet_results", DATASET, "3d_fullres", fold, TRAINER, PLANS) for fold in (0, 1)]
    assert "Comment=skipx" in run(slurm, "scontrol", "show", "job", f"{job}_0")

    for cell in cells:
        wait("a checkpoint", (cell.folder / "checkpoint_latest.pth").is_file, slurm)
    run(slurm, "scancel", "--signal=USR2", f"{job}_0")  # as Slurm does ahead of a time limit: submitit requeues
    run(slurm, "scontrol", "requeue", f"{job}_1")  # as preemption does: Slurm kills and requeues
    for task in (0, 1):
        wait(
            "a requeue",
            lambda task=task: "PENDING" in run(slurm, "squeue", "-h", "-o", "%T", "-j", f"{job}_{task}"),
            slurm,
            60,
        )
    run(slurm, "scontrol", "update", f"JobId={job}", "StartTime=now")  # Slurm lets requeued jobs wait two minutes
    for cell in cells:
        wait("the end", cell.is_done, slurm)
        assert len(logs(cell)) >= 2, "it was killed and began again"
        first, *_, last = sorted(log.stat().st_mtime for log in logs(cell))
        assert first < last
        text = cell.log.read_text()
        assert text.count("This is the configuration used by this training") >= 2
    assert "2 of 2 cells are done" in run(slurm, *bench, "--dry-run")
    assert os.environ.get("SLURM_CONF") is None
