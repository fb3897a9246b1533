"""The tables of docs/gpu.md: what was measured beside its goal, and why a row is missing where it is."""

import statistics
from collections.abc import Callable
from typing import Any

from benchmarks.augmentation_speed import WORKS
from benchmarks.gpu import rows as order
from benchmarks.gpu.cells import (
    NOT_MEASURED,
    Figures,
    cell,
    gigabytes,
    milliseconds,
    ratio,
    seconds,
    table,
    verdict,
)
from benchmarks.gpu.rows import BASELINE, LARGE_3D, mode
from benchmarks.gpu.sizes import SHAPES
from benchmarks.gpu.store import MACHINE, Rows


def shown(figures: Figures) -> list[str]:
    """The trainers with a goal or a measurement."""
    measured = {name for key in figures.rows for name in order.TRAINERS if f" | {name} | " in key}
    return [name for name in order.TRAINERS if name in {BASELINE, *order.MEMORY_GOALS, *measured}]


def steps_table(figures: Figures) -> str:
    """Every network on every plan, against nnUNetTrainer in the same mode."""
    head = [
        "plan",
        "trainer",
        "uncompiled ms",
        "compiled ms",
        "goal compiled",
        "GB uncompiled",
        "GB compiled",
        "goal GB",
        "first step s",
        "goal first",
    ]
    return table(head, [steps_line(figures, plan, name) for plan in SHAPES for name in shown(figures)])


def steps_line(figures: Figures, plan: str, name: str) -> list[str]:
    rows = [figures.step(plan, name, compiled) for compiled in (False, True)]
    others = [figures.step(plan, BASELINE, compiled) if name != BASELINE else {} for compiled in (False, True)]
    times, memory = [], []
    for row, other in zip(rows, others, strict=True):
        times.append(cell(row, milliseconds(row), against=milliseconds(other)))
        memory.append(cell(row, gigabytes(row), against=gigabytes(other)))
    time_ratio, memory_ratio = (ratio(f(rows[1]), f(others[1])) for f in (milliseconds, gigabytes))
    goal = order.TIME_GOALS.get(plan, {}).get(name)
    memory_goal = order.MEMORY_GOALS.get(name) if plan in order.TIME_GOALS else None
    first = first_step_cells(figures, plan, name)
    return [plan, name, *times, verdict(time_ratio, goal), *memory, verdict(memory_ratio, memory_goal), *first]


def first_step_cells(figures: Figures, plan: str, name: str) -> list[str]:
    """Seconds to the first compiled step and the goal; measured beside other rows, on fewer cores, if need be."""
    row = figures.of("first", plan, name, True)
    if "first_seconds" not in row:
        row = {**row, **figures.step(plan, name, True)}
    value = row.get("first_seconds")
    text = cell(row, value, "{:.0f}") + (f" ({row['first_cores']} cores)" if value is not None else "")
    if plan != LARGE_3D:
        return [text, "-"]
    enough = value if row.get("first_cores") == order.FIRST_STEP_CORES else None
    return [text, verdict(enough, order.FIRST_STEP_GOAL, f" s ({order.FIRST_STEP_CORES} cores)")]


def operations_table(figures: Figures) -> str:
    """What costs most in a compiled step, where that is above its goal."""
    lines = []
    for plan, goals in order.TIME_GOALS.items():
        baseline = milliseconds(figures.step(plan, BASELINE, True))
        for name, goal in goals.items():
            row = figures.step(plan, name, True)
            share = ratio(milliseconds(row), baseline)
            if share is not None and share > goal:
                lines += [
                    [plan, name, operation[:100], f"{ms:.2f}", str(calls)]
                    for operation, ms, calls in row.get("operations", [])
                ]
    nothing = ["-", "no network was measured above its goal", "-", "-", "-"]
    return table(["plan", "trainer", "operation", "ms per step", "calls"], lines or [nothing])


def fast_table(figures: Figures) -> str:
    """The augmentation in a step and `_fast`, on random batches."""
    lines = []
    for name, compiled, against, goal in (
        (order.ON_DEVICE, False, BASELINE, None),
        (order.ON_DEVICE, True, BASELINE, None),
        (order.FAST_TRAINERS[0], True, BASELINE, order.FAST_GOAL),
        (order.FAST_TRAINERS[1], True, BASELINE, None),
        (order.FAST_TRAINERS[2], True, order.FAST, order.FAST_AUGMENTATION_GOAL),
    ):
        row, other = (figures.step(LARGE_3D, which, compiled) for which in (name, against))
        share = ratio(milliseconds(row), milliseconds(other))
        lines.append(
            [
                name,
                mode(compiled),
                cell(row, milliseconds(row)),
                cell(row, gigabytes(row)),
                f"{against}: {NOT_MEASURED if share is None else f'{share:.2f}x'}",
                verdict(share, goal),
            ]
        )
    return table(["trainer", "mode", "ms", "GB", "against", "goal"], lines)


def augmentation_table(figures: Figures) -> str:
    """`_gpuaug` alone; means, because transforms that are drawn rarely take their share."""
    lines = []
    for work in WORKS:
        row = figures.of("augmentation", work, "_gpuaug")
        ms = 1000 * statistics.mean(row["runs"]) if "runs" in row else None
        share = row.get("memory_share")
        goals = verdict(ms, order.AUGMENTATION_GOAL_MS, " ms"), verdict(share, order.AUGMENTATION_MEMORY_GOAL)
        lines.append([work, cell(row, ms), goals[0], cell(row, share, "{:.2f}"), goals[1]])
    return table(["batch", "`_gpuaug` ms", "goal", "memory, times the batch's", "goal"], lines)


def prediction_table(figures: Figures) -> str:
    """A volume of 256x256x256."""
    baseline = figures.of("prediction", LARGE_3D, BASELINE)
    lines = []
    for name in shown(figures):
        row, other = figures.of("prediction", LARGE_3D, name), baseline if name != BASELINE else {}
        lines.append(
            [
                name,
                cell(row, seconds(row), "{:.2f}", seconds(other)),
                cell(row, gigabytes(row), against=gigabytes(other)),
            ]
        )
    return table(["trainer", "s", "GB"], lines)


def cores_table(figures: Figures) -> str:
    """Training with nnU-Net's loading workers."""
    lines = []
    for row in (row for row in order.all_rows() if row.part == "cores"):
        found = figures.of(row.part, row.plan, row.trainer, row.compiled)
        counts = [name for name in found if name.endswith(" cores")]
        for name in counts or ["16, 8, 4 cores"]:
            lines.append(
                [
                    row.plan,
                    row.trainer,
                    mode(row.compiled),
                    name.removesuffix(" cores"),
                    *loading_cells(found, found.get(name)),
                ]
            )
    head = [
        "plan",
        "trainer",
        "mode",
        "CPU cores",
        "workers",
        "iterations/s",
        "device busy",
        "CPU cores used",
        "step ms",
        "worker s/batch",
    ]
    return table(head, lines)


def loading_cells(found: dict[str, Any], row: dict[str, Any] | None) -> list[str]:
    if row is None:
        return [cell(found, None)] * 6
    used = NOT_MEASURED if row["cores_used"] is None else f"{row['cores_used']:.1f}"
    return [
        str(row["workers"]),
        f"{1 / row['iteration_seconds']:.3g}",
        f"{1 - row['waits']:.0%}",
        used,
        f"{1000 * row['step_seconds']:.1f}",
        f"{row['batch_seconds']:.3g}",
    ]


BLOCKS: dict[str, Callable[[Figures], str]] = {
    "gpu-steps": steps_table,
    "gpu-operations": operations_table,
    "gpu-fast": fast_table,
    "gpu-augmentation": augmentation_table,
    "gpu-prediction": prediction_table,
    "gpu-cores": cores_table,
}


def blocks(rows: Rows) -> dict[str, str]:
    """The content of every block of the page, with the machine under each table."""
    told = rows.get(MACHINE, {}).get("machine", "none; not measured: no GPU was at hand")
    return {name: f"{make(Figures(rows))}\n\nMachine: {told}." for name, make in BLOCKS.items()}
