"""Kills, a full disk and an unfinished validation: the same command again ends in the numbers of one go."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.state import is_locked, read_state, told
from nnunet_skipx.bench.train_cell import DISK_FULL, TrainingOrder
from nnunet_skipx.discovery import EXT_VARIABLE
from nnunet_skipx.nnunet.checkpoints import NEEDED, PREVIOUS, read_checkpoint
from nnunet_skipx.nnunet.json_files import read_mean_dice
from nnunet_skipx.results.collect import collect
from tests.end_to_end.conftest import DATASET, PLANS
from tests.forking.fixture import ForkServer
from tests.forking.small_disk import LARGE, MOMENTS, SmallDisk, small_disk

pytestmark = pytest.mark.slow
TRAINER = "nnUNetTrainerHasty"
# A user's own: nnU-Net's trainer, and its checkpoints, but for the demo's schedule and very short epochs.
HASTY = """
import torch
from nnunet_skipx.training.variants import trainer_class

class nnUNetTrainerHasty(trainer_class("nnUNetTrainer_demo_6epochs")):
    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cuda")):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 2, 1
"""
KILLS = 20
INLINE = {"nnUNet_n_proc_DA": "0"}
Bench = Callable[[Path], subprocess.Popen]


@pytest.fixture(scope="module")
def bench(forks: ForkServer, forked: dict[str, str], workplace: Path, planned: Path) -> Bench:
    (workplace / "mine").mkdir()
    (workplace / "mine" / "hasty.py").write_text(HASTY)
    words = ["-d", "99", "-c", "3d_fullres", "-p", PLANS, "-f", "0", "-device", "cpu", "-tr", TRAINER]

    def start(results: Path) -> subprocess.Popen:
        results.mkdir(exist_ok=True)
        return subprocess.Popen(
            [forks.python, "skipx", "bench", *words],
            env={**forked, **INLINE, "nnUNet_results": str(results), EXT_VARIABLE: str(workplace / "mine")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture(scope="module")
def train(forks: ForkServer, bench: Bench, forked: dict[str, str], workplace: Path) -> Bench:
    """The process that bench starts for the cell."""

    def start(results: Path) -> subprocess.Popen:
        cell = cell_in(results)
        cell.log.parent.mkdir(parents=True, exist_ok=True)
        order = TrainingOrder(cell, "cpu", threads=1)
        variables = {**forked, "nnUNet_results": str(results), EXT_VARIABLE: str(workplace / "mine")}
        with cell.log.open("a") as log:
            words = [forks.python, "-m", "nnunet_skipx.bench.train_cell", order.to_json()]
            return subprocess.Popen(words, env=variables | INLINE, stdout=log, stderr=log)

    return start


def cell_in(results: Path) -> Cell:
    return Cell(results, DATASET, "3d_fullres", 0, TRAINER, PLANS)


def finish(process: subprocess.Popen) -> str:
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def in_one_go(workplace: Path, bench: Bench) -> Cell:
    finish(bench(workplace / "one_go"))
    return cell_in(workplace / "one_go")


def table(cell: Cell) -> pd.DataFrame:
    return collect([cell.folder.parent], [cell.fold])


def wait_for(what: Callable[[], object], process: subprocess.Popen) -> None:
    """Wait until something is so, or the process has ended."""
    wait_until(lambda: process.poll() is not None or what())


def wait_until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def log_size(cell: Cell) -> int:
    return cell.log.stat().st_size if cell.log.is_file() else 0


def training_of(cell: Cell) -> int | None:
    """The process id of the cell's training."""
    process = read_state(cell).process
    return int(process.split()[1]) if process and is_locked(cell) else None


def test_killed_at_twenty_moments_nothing_is_lost(workplace: Path, train: Bench, bench: Bench, in_one_go: Cell) -> None:
    cell = cell_in(workplace / "killed")
    ends, checkpoints = 0, set()
    for kill in range(KILLS):
        process = train(cell.results)
        size = log_size(cell)
        wait_for(lambda size=size: b": Epoch " in cell.log.read_bytes()[size:], process)
        time.sleep(kill % 7 * 0.15)
        process.kill()
        process.communicate()
        wait_until(lambda: not is_locked(cell))
        for path in cell.folder.glob("checkpoint_*.pth"):
            read_checkpoint(path, NEEDED)
            checkpoints.add(path.name)
        if cell.is_done():
            ends += 1
            pd.testing.assert_frame_equal(table(cell), table(in_one_go), check_exact=True)
            shutil.rmtree(cell.folder)
    finish(bench(cell.results))
    pd.testing.assert_frame_equal(table(cell), table(in_one_go), check_exact=True)
    assert ends < KILLS / 2, "most kills must meet a training"
    assert PREVIOUS in checkpoints, "of nnU-Net's own trainer, too, the one before is kept"


def test_bench_tells_that_a_training_was_killed(workplace: Path, bench: Bench) -> None:
    cell = cell_in(workplace / "told")
    process = bench(cell.results)
    wait_for(lambda: training_of(cell), process)
    number = training_of(cell)
    assert number is not None and told(cell) == f"running (process {number} on {socket.gethostname()})"
    os.kill(number, signal.SIGKILL)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "(killed by signal 9, out of memory?); the end of" in output
    assert told(cell) == "failed (killed by signal 9, out of memory?)"


def test_a_validation_goes_on_from_the_cases_that_are_predicted(workplace: Path, bench: Bench, in_one_go: Cell) -> None:
    cell = cell_in(workplace / "unvalidated")
    shutil.copytree(in_one_go.results, cell.results)
    validation = cell.folder / "validation"
    whole, half = sorted(validation.glob("*.nii.gz"))
    content, before = half.read_bytes(), whole.stat().st_mtime_ns
    half.write_bytes(content[: len(content) // 2])
    (validation / "summary.json").unlink()
    finish(bench(cell.results))
    assert whole.stat().st_mtime_ns == before, "it was predicted already"
    assert half.read_bytes() == content
    assert read_mean_dice(validation / "summary.json") == read_mean_dice(in_one_go.folder / "validation/summary.json")
    assert "1 of 2 cases are predicted already" in cell.log.read_text()
    assert len([*cell.folder.glob("training_log_*.txt")]) == len([*in_one_go.folder.glob("training_log_*.txt")]) + 1
    assert read_state(cell).cases_left == 1


@pytest.fixture
def disk(workplace: Path) -> Iterator[SmallDisk]:
    folder = workplace / "small_disk"
    folder.mkdir(exist_ok=True)
    with small_disk(folder) as mounted:
        yield mounted


def test_a_full_disk_is_named_and_with_space_the_training_goes_on(
    bench: Bench, in_one_go: Cell, disk: SmallDisk
) -> None:
    disk.resize(1500 << 10)  # one checkpoint fits, but not two
    cell = cell_in(disk.folder)
    process = bench(disk.folder)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    assert f"(the disk of {cell.log.parent} is full: free some space)" in output
    assert "unexpected pos" not in output
    disk.resize(LARGE)
    assert "1 of 1 cells are done." in finish(bench(disk.folder))
    pd.testing.assert_frame_equal(table(cell), table(in_one_go), check_exact=True)


def test_disks_that_fill_up_at_twenty_moments_cost_nothing_that_was_saved(
    train: Bench, in_one_go: Cell, disk: SmallDisk
) -> None:
    cell = cell_in(disk.folder)
    finish(train(cell.results))
    written = disk.used()
    for moment in range(1, MOMENTS + 1):
        disk.resize(LARGE)
        shutil.rmtree(cell.folder)
        cell.log.unlink()
        disk.resize(written * moment // (MOMENTS + 1))
        process = train(cell.results)
        process.communicate(timeout=300)
        assert process.returncode == DISK_FULL, moment
        for path in cell.folder.glob("checkpoint_*.pth"):
            read_checkpoint(path, NEEDED)
        if moment % 5 == 0:
            disk.resize(LARGE)
            finish(train(cell.results))
            pd.testing.assert_frame_equal(table(cell), table(in_one_go), check_exact=True)
