"""The process that trains one cell."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.train_cell import BUSY, TrainingOrder, train_cell
from tests.bench.conftest import finish
from tests.forking.fixture import ForkServer


def test_an_order_travels_to_another_process(two_cells: list[Cell]) -> None:
    order = TrainingOrder(two_cells[1], "cpu", threads=3, npz=True)
    assert TrainingOrder.from_json(order.to_json()) == order
    assert TrainingOrder.from_json(order.command()[-1]) == order


def test_a_done_cell_is_not_trained_again(two_cells: list[Cell]) -> None:
    finish(two_cells[0])
    assert train_cell(TrainingOrder(two_cells[0], "cpu", 1)) == 0  # there is no data: a training would fail


def test_a_cell_that_another_process_trains_is_left_to_it(two_cells: list[Cell]) -> None:
    order = TrainingOrder(two_cells[0], "cpu", 1)
    two_cells[0].lock.parent.mkdir(parents=True)
    with FileLock(two_cells[0].lock):
        assert train_cell(order) == BUSY


@pytest.mark.slow
def test_ending_a_training_ends_its_workers_too(forks: ForkServer) -> None:
    program = (
        "import multiprocessing as mp, signal, time\n"
        "from nnunet_skipx.bench.train_cell import exit_on_terminate\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGTERM, exit_on_terminate)\n"
        "    worker = mp.get_context('fork').Process(target=time.sleep, args=(60,), daemon=True)\n"
        "    worker.start()\n"
        "    print(worker.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    variables = {**os.environ, **forks.variables}
    process = subprocess.Popen([forks.python, "-c", program], env=variables, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    worker = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert not Path(f"/proc/{worker}").exists()
