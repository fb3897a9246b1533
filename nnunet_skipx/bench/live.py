"""What a run shows while it trains: a table that renews itself in a terminal, lines elsewhere."""

import time

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nnunet_skipx.bench.cell import Cell, Progress
from nnunet_skipx.bench.local import Run
from nnunet_skipx.nnunet.folds import ALL
from nnunet_skipx.nnunet.json_files import read_mean_dice

SECONDS_BETWEEN_LOOKS = 2.0


class LiveView:
    """Shows a `Run` whenever called with it; used as a context manager around `run_cells`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self.next_look = 0.0
        self.shown: dict[Cell, str] = {}
        self.last_run: Run | None = None

    def __enter__(self) -> "LiveView":
        if self.live:
            self.live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.last_run:
            self.show(self.last_run)
        if self.live:
            self.live.stop()

    def __call__(self, run: Run) -> None:
        self.last_run = run
        if time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + SECONDS_BETWEEN_LOOKS
            self.show(run)

    def show(self, run: Run) -> None:
        """Print what has changed and renew the table."""
        self.print_changes(run)
        if self.live:
            self.live.update(Group(running_table(run), counts(run)), refresh=True)

    def print_changes(self, run: Run) -> None:
        """A line for each cell that was started, finished or failed since the last call; cells done before are not."""
        states = {cell: f"done, {result(cell)}" for cell in run.done() if cell in self.shown}
        states |= {cell: f"FAILED, {why}" for cell, why in run.failed.items()}
        states |= dict.fromkeys(run.elsewhere, "trained by another process")
        states |= dict.fromkeys(run.running, "started")
        for cell, state in states.items():
            if self.shown.get(cell) != state:
                self.shown[cell] = state
                self.console.print(f"{time.strftime('%H:%M:%S')}  {cell}: {state}", highlight=False, soft_wrap=True)


def running_table(run: Run) -> Table:
    """The trainings under way: epoch, nnU-Net's moving average of the pseudo Dice, time left."""
    table = Table("data set", "configuration", "fold", "trainer", "epoch or case", "EMA Dice", "time left")
    for cell in run.running:
        progress = cell.progress()
        epochs = "?" if progress.epochs is None else str(progress.epochs)
        ema = "-" if progress.ema_dice is None else f"{progress.ema_dice:.4f}"
        table.add_row(
            cell.dataset,
            cell.configuration,
            cell.shown,
            cell.trainer,
            f"{progress.epoch}/{epochs}",
            ema,
            time_left(progress),
        )
    return table


def counts(run: Run) -> Text:
    """How many cells are done, running, waiting, failed."""
    text = f"{len(run.done())} of {len(run.cells)} done, {len(run.running)} running, {len(run.waiting)} waiting"
    return Text(f"{text}, {len(run.failed)} failed" if run.failed else text)


def time_left(progress: Progress) -> str:
    """Hours, or what is known instead."""
    if progress.epochs is not None and progress.epoch >= progress.epochs:
        return "validating"
    return "-" if progress.seconds_left is None else told_hours(progress.seconds_left / 3600)


def told_hours(hours: float) -> str:
    """A time in the one unit of all estimates.

    >>> told_hours(0.0123), told_hours(3.25), told_hours(1234.5)
    ('0.012 h', '3.2 h', '1234 h')
    """
    return f"{hours:.0f} h" if hours >= 10 else f"{hours:.2g} h"


def result(cell: Cell) -> str:
    """The mean Dice over foreground classes, as nnU-Net wrote it; of fold all there is none."""
    if cell.fold == ALL:
        return "trained on every case"
    return f"Dice {read_mean_dice(cell.summary):.4f}" if cell.summary.is_file() else "not evaluated, without labelsTs"
