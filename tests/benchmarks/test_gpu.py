"""benchmarks.gpu: what its tables say, what is measured when, and that it needs neither SimpleITK nor a GPU here."""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import run, store
from benchmarks.gpu.__main__ import arguments
from benchmarks.gpu.cells import NOT_MEASURED
from benchmarks.gpu.measure import memory_of
from benchmarks.gpu.rows import BASELINE, FAST, TRAINERS, Row, all_rows, chosen
from benchmarks.gpu.sizes import HIPPOCAMPUS, LARGE_2D, LARGE_3D, SHAPES, real
from benchmarks.gpu.tables import BLOCKS, blocks
from benchmarks.tables import block_of

ROOT = Path(__file__).parents[2]
UTANET = f"{BASELINE}UTANet"
OPERATIONS = [["aten::mm", 3.0, 7], ["a|b", 1.0, 1]]


def rows_of(**steps: list[float]) -> store.Rows:
    """Compiled steps in 3D: seconds by trainer, 1 GB each."""
    figures = {name: {"runs": runs, "memory_mb": 1024.0, "operations": OPERATIONS} for name, runs in steps.items()}
    return {Row("steps", LARGE_3D, name, True, 0).key: content for name, content in figures.items()}


def line_of(table: str, *beginning: str) -> list[str]:
    """The cells of the one line of a table that begins with these."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    [found] = [line for line in lines if line[: len(beginning)] == list(beginning)]
    return found


def test_the_page_has_what_the_tables_make_of_its_rows_or_of_none() -> None:
    wanted = blocks(store.read(run.PAGE.with_name(run.KEPT)))
    for name, content in wanted.items():
        assert block_of(run.PAGE, name) == content, f"run python -m benchmarks.gpu --rows docs/{run.KEPT} --write"


def test_a_step_stands_beside_its_goal_with_its_ratio() -> None:
    made = blocks(rows_of(nnUNetTrainer=[0.1], nnUNetTrainerUTANet=[9, 0.12, 0.1]))
    line = line_of(made["gpu-steps"], LARGE_3D, UTANET)
    assert line[2:8] == [NOT_MEASURED, "120.0 (1.20x)", "<= 1.25x: met", NOT_MEASURED, "1.0 (1.00x)", "<= 1.4x: met"]


def test_operations_are_told_of_networks_above_their_goal_only() -> None:
    slow = blocks(rows_of(nnUNetTrainer=[0.1], nnUNetTrainerUTANet=[0.2], nnUNetTrainerXUNet=[0.1]))
    assert line_of(slow["gpu-steps"], LARGE_3D, UTANET)[4] == "<= 1.25x: missed"
    assert line_of(slow["gpu-operations"], LARGE_3D, UTANET, "aten::mm") == [LARGE_3D, UTANET, "aten::mm", "3.00", "7"]
    assert "a/b" in slow["gpu-operations"], "a bar would end the cell"
    assert "XUNet" not in slow["gpu-operations"]


def test_a_first_step_meets_its_goal_only_on_the_cores_of_the_goal() -> None:
    rows = rows_of(nnUNetTrainerUTANet=[0.1])
    rows[next(iter(rows))] |= {"first_seconds": 50.0, "first_cores": 2}
    assert line_of(blocks(rows)["gpu-steps"], LARGE_3D, UTANET)[8:] == ["50 (2 cores)", "<= 60 s (8 cores)"]
    rows[Row("first", LARGE_3D, UTANET, True, 0).key] = {"first_seconds": 70.0, "first_cores": 8}
    assert line_of(blocks(rows)["gpu-steps"], LARGE_3D, UTANET)[8:] == ["70 (8 cores)", "<= 60 s (8 cores): missed"]


def test_fast_and_the_augmentation_stand_beside_what_they_are_compared_with() -> None:
    rows = rows_of(nnUNetTrainer=[0.1])
    for name, seconds in ((FAST, 0.07), (f"{BASELINE}_gpuaug_fast", 0.08)):
        rows[Row("fast", LARGE_3D, name, True, 0).key] = {"runs": [seconds]}
    table = blocks(rows)["gpu-fast"]
    assert line_of(table, FAST)[4:] == [f"{BASELINE}: 0.70x", "<= 0.75x: met"]
    assert line_of(table, f"{BASELINE}_gpuaug_fast")[4:] == [f"{FAST}: 1.14x", "<= 1.05x: missed"]


def test_every_part_of_a_file_is_shown_and_what_is_missing_says_why() -> None:
    loading = {
        "workers": 4,
        "iteration_seconds": 0.1,
        "waits": 0.25,
        "cores_used": None,
        "step_seconds": 0.05,
        "batch_seconds": 0.4,
    }
    rows = {
        store.MACHINE: {"machine": "a GPU"},
        Row("cores", LARGE_3D, BASELINE, True, 0).key: {"4 cores": loading},
        Row("prediction", LARGE_3D, UTANET, False, 0).key: {"missing": "not measured: out of memory"},
        Row("augmentation", "2D 256x256, batch 12, 2 labels", "_gpuaug", False, 0).key: {
            "runs": [0.001, 0.003],
            "memory_share": 1.6,
        },
    }
    made = blocks(rows)
    assert all(content.endswith("\n\nMachine: a GPU.") for content in made.values())
    assert line_of(made["gpu-cores"], LARGE_3D, BASELINE, "compiled")[3:] == [
        "4",
        "4",
        "10",
        "75%",
        NOT_MEASURED,
        "50.0",
        "0.4",
    ]
    assert line_of(made["gpu-prediction"], UTANET)[1] == "not measured: out of memory"
    assert line_of(made["gpu-augmentation"], "2D 256x256, batch 12, 2 labels")[1:] == [
        "2.0",
        "<= 7 ms: met",
        "1.60",
        "<= 1.5x: missed",
    ]


def test_uncompiled_steps_of_all_networks_in_3d_come_first_and_no_row_twice() -> None:
    rows = all_rows()
    first = [(row.plan, row.trainer, row.compiled) for row in rows[1 : 1 + len(TRAINERS)]]
    assert first == [(LARGE_3D, name, False) for name in TRAINERS]
    assert len({row.key for row in rows}) == len(rows)


def test_plans_are_those_that_nnunet_makes() -> None:
    made = {plan: arguments_of(plan) for plan in SHAPES}
    assert [content["n_stages"] for content in made.values()] == [6, 8, 4]
    assert made[LARGE_3D]["features_per_stage"] == [32, 64, 128, 256, 320, 320]
    assert made[LARGE_2D]["features_per_stage"] == [32, 64, 128, 256, 512, 512, 512, 512]
    assert all(set(content["n_conv_per_stage_decoder"]) == {2} for content in made.values())


def arguments_of(plan: str) -> dict:
    """The architecture's arguments of a plan of a real run."""
    setting = real("cuda").setting(plan)
    assert setting.device == "cuda"
    return setting.plans["configurations"][setting.configuration]["architecture"]["arch_kwargs"]


def test_what_was_measured_to_its_end_is_not_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    [machine, ended, *others] = chosen(["steps"], [])
    for row, figures in (
        (machine, {"done": True}),
        (ended, {"runs": [1]}),
        (ended, {"done": True}),
        (others[0], {"runs": [1]}),
        (others[1], {"missing": "not measured: time"}),
    ):
        store.append(path, row, figures)
    assert chosen(["steps"], store.done(store.read(path))) == [machine, *others]
    assert store.read(path)[ended.key] == {"runs": [1], "done": True}


def test_a_rehearsal_has_every_kind_of_row_and_all_networks() -> None:
    kinds = [
        {(row.part, row.compiled) for row in chosen({r.part for r in all_rows()}, [], rehearsal)}
        for rehearsal in (True, False)
    ]
    assert kinds[1] - kinds[0] == {("cores", False)}
    rehearsed = chosen({r.part for r in all_rows()}, [], rehearsal=True)
    assert {row.trainer for row in rehearsed} >= set(TRAINERS)
    assert HIPPOCAMPUS in {row.plan for row in rehearsed}


@pytest.mark.parametrize("line", ["no JSON", "[1]", '{"runs": [1]}'])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"row": "x"}}\n{line}\n')
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 2"):
        store.read(path)


def test_rows_of_two_machines_and_of_a_rehearsal_never_meet() -> None:
    for before, now in (({"machine": "H100"}, {"machine": "H200"}), ({"rehearsal": True}, {"rehearsal": False})):
        with pytest.raises(SystemExit, match="--out"):
            run.check_machine(before, now, Path("rows.jsonl"))
    run.check_machine({"machine": "H100"}, {"machine": "H100", "rehearsal": False}, Path("rows.jsonl"))


def test_the_page_is_filled_by_measurements_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, path = tmp_path / "gpu.md", tmp_path / "rows.jsonl"
    monkeypatch.setattr(run, "PAGE", page)
    page.write_text("".join(f"<!-- {name}:begin -->\n<!-- {name}:end -->\n" for name in BLOCKS))
    with pytest.raises(SystemExit, match="holds no rows"):
        run.fill_page(path)
    path.write_text(json.dumps({"row": store.MACHINE, "machine": "toy", "rehearsal": True}) + "\n")
    with pytest.raises(SystemExit, match="stays as it is"):
        run.fill_page(path)
    path.write_text(json.dumps({"row": store.MACHINE, "machine": "H200", "rehearsal": False}) + "\n")
    run.fill_page(path)
    assert page.read_text().count("Machine: H200.") == len(BLOCKS)
    assert (tmp_path / run.KEPT).read_text() == path.read_text()
    run.fill_page(tmp_path / run.KEPT)


def test_a_rehearsal_is_not_for_the_docs(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        arguments(["--write", "--rehearsal"])
    assert "a rehearsal has no figures" in capsys.readouterr().err
    assert arguments(["--rehearsal"]).device == "cpu"
    assert arguments([]).device == "cuda"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_nothing_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    with pytest.raises(SystemExit, match="add --device cpu, or --rehearsal"):
        run.measure_rows(arguments(["--part", "augmentation", "--out", str(out)]), time.monotonic(), tmp_path)
    assert not out.exists()


def test_memory_on_a_gpu_is_the_peak_of_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("reset_peak_memory_stats", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, partial(calls.append, name))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**20)
    assert memory_of(lambda: calls.append("step"), "cuda") == 3
    assert calls == ["reset_peak_memory_stats", "step", "synchronize"]


def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine on which SimpleITK is an empty stand-in, as docs/gpu.md makes it."""
    page = (ROOT / "docs" / "gpu.md").read_text()
    start = page.index("    def __getattr__")
    stand_in = tmp_path / "site" / "SimpleITK"
    stand_in.mkdir(parents=True)
    code = page[start : page.index("\n\n", start)]
    (stand_in / "__init__.py").write_text("\n".join(line[4:] for line in code.splitlines()))
    return os.environ | {"PYTHONPATH": f"{stand_in.parent}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_the_imports_need_no_simpleitk(tmp_path: Path) -> None:
    code = (
        "import benchmarks.gpu.run, SimpleITK, torch; assert not hasattr(SimpleITK, '__version__'); "
        "assert not torch.cuda.is_initialized()"
    )
    subprocess.run([sys.executable, "-c", code], env=bare(tmp_path), cwd=tmp_path, check=True)


@pytest.mark.slow
def test_the_rehearsal_measures_every_row_without_simpleitk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--rehearsal", "--out", "rows.jsonl", "--minutes", "30"]
    done = subprocess.run(command, env=bare(tmp_path), cwd=tmp_path, check=True, capture_output=True, text=True)
    rows = store.read(tmp_path / "rows.jsonl")
    missing = {key: figures["missing"] for key, figures in rows.items() if "missing" in figures}
    assert all("_fast" in key and "has no trainer" in why for key, why in missing.items()), missing
    assert rows.keys() == {row.key for row in chosen({r.part for r in all_rows()}, [], rehearsal=True)}
    assert done.stdout.rstrip().endswith(blocks(rows)["gpu-cores"]), "one print of the tables comes last"
