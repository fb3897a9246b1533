"""`skipx bench --slurm` on a real Slurm of one node: cells that are killed, preempted, or fail."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.state import told
from nnunet_skipx.system.files import write_json
from tests.end_to_end.conftest import DATASET, PLANS, Command, environment
from tests.end_to_end.slurm_node import single_node_slurm, why_not
from tests.forking.fixture import ForkServer

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]
TRAINER = "nnUNetTrainerUTANet_demo_8epochs"  # more than pass between a checkpoint and the end of a grace period
EMPTY_PLANS = "emptyPlans"  # of data that are gone


@pytest.fixture(scope="module")
def slurm(workplace: Path, planned: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    plans = json.loads((planned / f"{PLANS}.json").read_text())
    plans["plans_name"] = plans["configurations"]["3d_fullres"]["data_identifier"] = EMPTY_PLANS
    write_json(planned / f"{EMPTY_PLANS}.json", plans)
    (planned / EMPTY_PLANS).mkdir()
    (planned / EMPTY_PLANS / "gone.pkl").touch()
    with single_node_slurm(tmp_path_factory.mktemp("slurm")) as variables:
        yield {
            **environment(workplace),
            "nnUNet_n_proc_DA": "0",
            **{name: variables[name] for name in ("SLURM_CONF", "PATH")},
        }


def run(variables: dict[str, str], *command: str) -> str:
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def submit(variables: dict[str, str], program: list[str], cells: list[Cell], *options: str) -> str:
    """Submit cells with one plan as a program says, `skipx` or what stands for it; returns the array's id."""
    words = ["-d", "99", "-c", "3d_fullres", "-p", cells[0].plans, "-tr", TRAINER, "-f", *(str(c.fold) for c in cells)]
    output = run(variables, *program, "bench", *words, "--slurm", "time=60", "cpus=1", "gpus=0", *options)
    job = output.split("Slurm job ")[1].split(":")[0]
    lines = output.splitlines()
    for number, cell in enumerate(cells):
        name = f"{job}_{number}" if len(cells) > 1 else job
        assert any(line.split() == [name, *str(cell).split(), str(cell.log)] for line in lines), output
    return job


def wait(what: str, done: Callable[[], bool], variables: dict[str, str], seconds: int = 400) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            queue = run(variables, "squeue")
            pytest.fail(f"{what} did not happen within {seconds} s\n{queue}")
        time.sleep(0.3)


def facts(variables: dict[str, str], job: str) -> str:
    return run(variables, "scontrol", "show", "job", job)


def cells_of(workplace: Path, plans: str, *folds: int) -> list[Cell]:
    return [Cell(workplace / "nnUNet_results", DATASET, "3d_fullres", fold, TRAINER, plans) for fold in folds]


def test_jobs_that_are_ended_early_are_requeued_and_finish(workplace: Path, slurm: dict[str, str]) -> None:
    cells = cells_of(workplace, PLANS, 0, 1)
    array = submit(slurm, [sys.executable, "-m", "nnunet_skipx.cli"], cells, "comment=my own")
    jobs = [f"{array}_{number}" for number in range(len(cells))]
    for cell, job in zip(cells, jobs, strict=True):
        name = f"{DATASET}_3d_fullres_fold_{cell.fold}_{TRAINER}"
        assert re.search(rf"JobName={name}\s.*Comment=my own\s", facts(slurm, job), re.DOTALL)
        wait("a checkpoint", (cell.folder / "checkpoint_latest.pth").is_file, slurm)
        assert told(cell).startswith("running (process ")
    run(slurm, "scancel", "--signal=USR2", jobs[0])  # as Slurm does ahead of a time limit: submitit requeues
    run(slurm, "sbatch", "-p", "high", f"-c{os.cpu_count()}", "-o", "/dev/null", "--wrap", "sleep 1")  # preempts
    for cell, job in zip(cells, jobs, strict=True):
        wait("a requeue", lambda job=job: "JobState=PENDING" in facts(slurm, job), slurm, 60)
        waiting = re.compile(rf"waiting \(Slurm job {job}\), \d+ of \d+ epochs")
        wait("the end of the training", lambda cell=cell, waiting=waiting: waiting.match(told(cell)), slurm, 60)
    for job in jobs:
        wait("another turn", lambda job=job: "Restarts=1" in started_now(slurm, job), slurm, 60)
    for cell, job in zip(cells, jobs, strict=True):
        wait("a good end", lambda job=job: "JobState=COMPLETED" in facts(slurm, job), slurm)
        assert told(cell) == "done"
        logs = sorted(cell.folder.glob("training_log_*.txt"), key=lambda path: path.stat().st_mtime)
        assert len(logs) >= 2, "it was killed and began again"
        assert "Epoch 0 \n" not in logs[-1].read_text(), "it went on from the checkpoint"


def started_now(variables: dict[str, str], job: str) -> str:
    """What Slurm tells of a requeued job, which it lets wait two minutes unless told otherwise."""
    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], env=variables, check=False)
    return facts(variables, job)


def test_a_job_whose_training_fails_has_failed(workplace: Path, slurm: dict[str, str], forks: ForkServer) -> None:
    (cell,) = cells_of(workplace, EMPTY_PLANS, 0)
    job = submit(slurm | forks.variables, [str(forks.python), "skipx"], [cell], "job-name=mine")
    assert re.search(rf"JobName=mine\s.*Comment={cell} in /", facts(slurm, job), re.DOTALL)
    wait("the end", lambda: "JobState=FAILED" in facts(slurm, job), slurm)
    assert "ExitCode=1:0" in facts(slurm, job)
    (log,) = (workplace / "nnUNet_results" / "skipx_bench" / "slurm").glob(f"*/{job}_*_log.out")
    last = cell.log.read_text().strip().splitlines()[-1]
    assert f"{cell} failed (exit status 1); the end of {cell.log}:" in log.read_text()
    assert last in log.read_text()
    assert told(cell) == "failed (exit status 1)"


def test_a_refused_submission_leaves_nothing_behind(workplace: Path, slurm: dict[str, str], forks: ForkServer) -> None:
    before = sorted((workplace / "nnUNet_results").rglob("*"))
    program = [str(forks.python), "skipx"]
    with pytest.raises(AssertionError, match=r"sbatch refused the cells: .*partition"):
        submit(slurm | forks.variables, program, cells_of(workplace, PLANS, 2), "partition=nowhere")
    assert sorted((workplace / "nnUNet_results").rglob("*")) == before


def test_a_test_set_is_a_job_as_a_training_is(
    workplace: Path, slurm: dict[str, str], forks: ForkServer, command: Command
) -> None:
    words = ["-d", "99", "-c", "2d", "-p", PLANS, "-tr", "nnUNetTrainer_demo_1epochs", "-f", "0"]
    command("skipx", "bench", *words, "-device", "cpu")
    program = [str(forks.python), "skipx", "bench", "--test", *words]
    output = run(slurm | forks.variables, *program, "--slurm", "time=60", "cpus=1", "gpus=0")
    job = output.split("Slurm job ")[1].split(":")[0]
    wait("a good end", lambda: "JobState=COMPLETED" in facts(slurm, job), slurm, 120)
    assert f"JobName={DATASET}_2d_test_folds_0_nnUNetTrainer" in facts(slurm, job)
    assert "1 of 1 test sets are done." in command("skipx", "bench", "--test", *words, "--dry-run").stdout
    model = workplace / "nnUNet_results" / DATASET / f"nnUNetTrainer_demo_1epochs__{PLANS}__2d"
    assert len(list((model / "test_folds_0").glob("*.nii.gz"))) == 2
