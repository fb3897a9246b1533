"""Measures rows side by side within a time: compiling needs cores, timing needs the machine for itself."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from benchmarks.gpu.child import DONE, GO, OUT_OF_MEMORY, Child
from benchmarks.gpu.measure import FIRST_STEP, TURN
from benchmarks.gpu.rows import Row
from benchmarks.gpu.sizes import Sizes

AT_ONCE = 8  # rows: the memory of a large GPU should hold them; what does not fit is tried again alone
PATIENCE = 4  # a row may take so many times what is expected
NO_TIME = "not measured: time"
Tell = Callable[[Row, dict[str, Any]], None]


class Schedule:
    """Starts rows in their order while there are cores.

    A row has its turn from its TURN to its end. Meanwhile all others stand still, compilers included. A row that would
    not end before `deadline` (of time.monotonic) is left out. `tell` gets every figure as soon as it is known.
    """

    def __init__(self, rows: Iterable[Row], sizes: Sizes, folder: Path, deadline: float, tell: Tell) -> None:
        self.rows, self.sizes, self.folder, self.deadline, self.tell = list(rows), sizes, folder, deadline, tell
        self.free = sorted(os.sched_getaffinity(0))
        self.share = max(1, len(self.free) // AT_ONCE)
        self.children: list[Child] = []
        self.asking: list[Child] = []
        self.holder: Child | None = None

    def run(self) -> None:
        """Measure what there is time for; nothing that was started is left, however it ends."""
        try:
            while self.rows or self.children:
                self.listen()
                self.give_up_late_ones()
                self.start_rows()  # before the next turn, during which nothing starts
                self.give_turn()
        finally:
            for child in self.children:
                child.end()

    def start_rows(self) -> None:
        """As many as cores and memory allow."""
        while self.rows and self.holder is None:
            row = self.rows[0]
            if time.monotonic() + row.seconds > self.deadline:
                self.tell(self.rows.pop(0), {"missing": NO_TIME})
                continue
            cores = self.cores_of(row)
            if len(cores) > len(self.free) or len(self.children) >= AT_ONCE or self.must_wait(row):
                return
            self.free = self.free[len(cores) :]
            self.children.append(Child(self.rows.pop(0), cores, self.sizes, self.folder))

    def must_wait(self, row: Row) -> bool:
        """Whether it would run beside others although it or one of them has to be alone."""
        return bool(self.children) and (row.alone or any(child.row.alone for child in self.children))

    def cores_of(self, row: Row) -> list[int]:
        """The cores that a row needs, free ones first."""
        everything = sorted(os.sched_getaffinity(0), key=lambda core: core not in self.free)
        return everything if row.alone and not row.cores else everything[: row.cores or self.share]

    def listen(self) -> None:
        """Wait a moment for what the rows say."""
        for connection in wait([child.connection for child in self.children], timeout=0.2):
            child = next(c for c in self.children if c.connection is connection)
            try:
                message = child.connection.recv()
            except (EOFError, ConnectionResetError):
                self.tell(child.row, {"missing": "not measured: its process was killed"})
                message = DONE
            self.hear(child, message)

    def hear(self, child: Child, message: Any) -> None:
        """Do what one message asks for."""
        if message == TURN:
            self.asking.append(child)
        elif message == FIRST_STEP:
            self.tell(child.row, {"first_seconds": child.seconds, "first_cores": len(child.cores)})
        elif message == DONE:
            self.remove(child)
        elif message.get("missing") == OUT_OF_MEMORY and len(self.children) > 1:
            self.rows.append(replace(child.row, alone=True))
        else:
            self.tell(child.row, message)

    def give_turn(self) -> None:
        """To the row that asked first, when nobody has it."""
        if self.holder is None and self.asking:
            self.holder = self.asking.pop(0)
            for child in self.others():
                child.stop()
            self.holder.connection.send(GO)

    def give_up_late_ones(self) -> None:
        """End rows that take much longer than expected, and all when the time is up."""
        running = self.others() if self.holder is None else [self.holder]
        for child in running if time.monotonic() < self.deadline else list(self.children):
            limit = PATIENCE * child.row.seconds
            if time.monotonic() > self.deadline:
                self.give_up(child, NO_TIME)
            elif child.seconds > limit:
                self.give_up(child, f"not measured: took more than {limit:.0f} s")

    def give_up(self, child: Child, why: str) -> None:
        """End a row before its end."""
        self.tell(child.row, {"missing": why})
        self.remove(child)

    def remove(self, child: Child) -> None:
        """End a row's processes; cores and turn are free again."""
        child.end()
        self.children.remove(child)
        self.free = sorted([*self.free, *child.cores])
        self.asking = [other for other in self.asking if other is not child]
        if child is self.holder:
            self.holder = None
            for other in self.children:
                other.go_on()

    def others(self) -> list[Child]:
        """All rows at work but the one that has the turn."""
        return [child for child in self.children if child is not self.holder]
