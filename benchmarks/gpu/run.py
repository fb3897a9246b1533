"""A run: the rows that are still missing are measured into a file; tables are made of what the file holds."""

import argparse
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu import sizes as all_sizes
from benchmarks.gpu import store
from benchmarks.gpu.rows import BASELINE, Row, chosen
from benchmarks.gpu.schedule import Schedule
from benchmarks.gpu.tables import blocks
from benchmarks.tables import replace_block
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.nnunet.search import find_trainer

PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"
KEPT = "gpu_rows.jsonl"  # beside the page: what its tables were made of
END = 10  # seconds for the end of the processes and the table


def measure_rows(args: argparse.Namespace, started: float, folder: Path) -> None:
    """Measure in the time that is left since `started` (of time.monotonic) what the file does not hold yet."""
    append_to_environment()
    find_trainer(f"{BASELINE}UTANet")  # the search imports a lot, once for all rows
    before = store.read(args.out)
    sizes = (all_sizes.rehearsal if args.rehearsal else all_sizes.real)(args.device)

    def say(text: str) -> None:
        print(f"after {time.monotonic() - started:.0f} s: {text}", flush=True)

    def tell(row: Row, figures: dict[str, Any]) -> None:
        if row.part == "machine":
            if "missing" in figures:
                raise SystemExit(figures["missing"])
            figures |= {"rehearsal": args.rehearsal}
            check_machine(before.get(store.MACHINE, {}), figures, args.out)
        store.append(args.out, row, figures)
        if "done" not in figures and "operations" not in figures:
            say(f"{row.key}: {brief(figures)}")

    log = args.out.with_suffix(".log").resolve()
    (folder / "log.txt").symlink_to(log)
    say(f"imports done; rows go to {args.out}, what they print to {log}")
    rows = chosen(args.part, store.done(before), args.rehearsal)
    # The machine alone first: what a machine without a GPU says of the other rows is nothing for the file.
    for together in ([row for row in rows if row.part == "machine"], [row for row in rows if row.part != "machine"]):
        Schedule(together, sizes, folder, started + 60 * args.minutes - END, tell).run()


def check_machine(before: dict[str, Any], now: dict[str, Any], out: Path) -> None:
    """SystemExit if the file holds rows of another machine, or of a rehearsal and this is none."""
    for key in ("machine", "rehearsal"):
        if key in before and key in now and before[key] != now[key]:
            raise SystemExit(
                f"{out} holds rows with {key} = {before[key]}, and this run has {now[key]}: give another "
                "file with --out"
            )


def brief(figures: dict[str, Any]) -> str:
    """The figures for the terminal, in a few words."""
    if "runs" in figures:
        return f"{1000 * statistics.median(figures['runs']):.1f} ms"
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"[:100] for key, value in figures.items()
    )


def rows_of(path: Path) -> store.Rows:
    """The rows of a file; SystemExit where there are none."""
    rows = store.read(path)
    if not rows:
        raise SystemExit(f"{path} holds no rows: run python -m benchmarks.gpu --out {path} on a machine with a GPU")
    return rows


def printed(rows: store.Rows) -> str:
    """All tables for the terminal."""
    return "\n\n".join(f"{name}\n{content}" for name, content in blocks(rows).items())


def fill_page(path: Path) -> None:
    """Write the tables of a file of rows into docs/gpu.md and keep the rows beside it; SystemExit for a rehearsal's."""
    rows = rows_of(path)
    if rows.get(store.MACHINE, {}).get("rehearsal", True):
        raise SystemExit(
            f"the rows of {path} are no measurement (of a rehearsal, or without their machine): {PAGE} stays as it is"
        )
    for name, content in blocks(rows).items():
        replace_block(PAGE, name, content)
    kept = PAGE.with_name(KEPT)
    if path.resolve() != kept.resolve():
        shutil.copy(path, kept)
