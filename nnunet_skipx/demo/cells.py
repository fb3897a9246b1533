"""The demo's cells (one trainer on one fold each), run side by side; the disk says which are done."""
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from nnunet_skipx.demo.prepare import PLANS, last_lines
from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.training.options import DemoOption

POLL_SECONDS = 0.5
BAR = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
STEPS = DemoOption.demo_epochs + 1  # the epochs and the validation


@dataclass(frozen=True)
class Cell:
    """One trainer on one fold of a data set."""

    workspace: Workspace
    dataset: str
    configuration: str
    trainer: str
    fold: int

    @property
    def folder(self) -> Path:
        model = f"{self.trainer}__{PLANS}__{self.configuration}"
        return self.workspace.results / self.dataset / model / f"fold_{self.fold}"

    @property
    def log(self) -> Path:
        return self.workspace.logs / f"{self.dataset}__{self.trainer}__fold_{self.fold}.log"

    def is_done(self) -> bool:
        """Whether nnU-Net's validation has written its whole summary."""
        try:
            summary = json.loads((self.folder / "validation" / "summary.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False  # not there yet, or cut off by a kill: the cell runs again
        return "foreground_mean" in summary

    def steps_done(self) -> int:
        """Epochs finished so far, one more when the validation is done."""
        if self.is_done():
            return STEPS
        text = "".join(log.read_text(errors="replace") for log in self.folder.glob("training_log_*.txt"))
        epochs = [int(number) for number in re.findall(r": Epoch (\d+)\s*$", text, flags=re.MULTILINE)]
        return max(epochs, default=0)

    def start(self) -> subprocess.Popen:
        """Train in a process of its own, continuing from a checkpoint if there is one."""
        arguments = [self.dataset, self.configuration, str(self.fold), self.trainer, PLANS]
        with self.log.open("a") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "nnunet_skipx.demo.train_cell", *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.workspace.training_environment(),
            )


def run_cells(cells: Sequence[Cell]) -> None:
    """Run the cells that are not done, as many at a time as there are cores (at most 4).

    Raises:
        RuntimeError: cells that failed, with the end of their logs; the others have run.
    """
    waiting = [cell for cell in cells if not cell.is_done()]
    running: dict[Cell, subprocess.Popen] = {}
    failed: list[Cell] = []
    jobs = min(os.cpu_count() or 1, 4)
    with tqdm(total=len(cells) * STEPS, desc="training", bar_format=BAR) as bar:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    cell = waiting.pop(0)
                    running[cell] = cell.start()
                for cell, process in list(running.items()):
                    if process.poll() is not None:
                        del running[cell]
                        failed += [] if cell.is_done() else [cell]
                bar.n = sum(cell.steps_done() for cell in cells)
                bar.set_postfix_str(", ".join(f"{cell.trainer} fold {cell.fold}" for cell in running))
                time.sleep(POLL_SECONDS)
        finally:
            for process in running.values():
                process.terminate()
    if failed:
        ends = "\n".join(f"{cell.trainer} fold {cell.fold} ({cell.log}):\n{last_lines(cell.log)}" for cell in failed)
        raise RuntimeError(f"{len(failed)} of {len(cells)} trainings failed; run the same command to go on.\n{ends}")
