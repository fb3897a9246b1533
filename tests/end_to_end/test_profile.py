"""`skipx list` and `skipx profile` as a user types them, on plans and cases that nnU-Net made."""

import json
from pathlib import Path

import pytest

from tests.cli.test_next_steps import require_understood
from tests.end_to_end.conftest import DATASET, PLANS, Command

pytestmark = pytest.mark.slow
TRAINERS = ["nnUNetTrainer", "nnUNetTrainerUTANet_twin"]


def test_profile_measures_what_nnunet_planned(workplace: Path, planned: Path, command: Command) -> None:
    before = sorted(workplace.rglob("*"))
    result = command(
        "skipx", "profile", "-d", 99, "-c", "3d_fullres", "-p", PLANS, "-tr", *TRAINERS, "--runs", 1, "--json"
    )
    content = json.loads(result.stdout)
    wanted = json.loads((planned / f"{PLANS}.json").read_text())["configurations"]["3d_fullres"]
    header = content["header"]
    assert (header["dataset"], header["plans"], header["configuration"]) == (DATASET, PLANS, "3d_fullres")
    assert (header["patch_size"], header["batch_size"]) == (wanted["patch_size"], wanted["batch_size"])
    assert [row["trainer"] for row in content["trainers"]] == TRAINERS
    for row in content["trainers"]:
        assert all(value > 0 for key, value in row.items() if key != "trainer")
    assert sorted(workplace.rglob("*")) == before, "nothing is written to the user's folders"


def test_the_table_follows_the_list(planned: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = command("skipx", "list").stdout
    assert all(f"\n{name} " in listed for name in ("nnUNetTrainer", "nnUNetTrainerUTANet"))
    shown = command("skipx", "profile", "-d", DATASET, "-c", "2d", "-p", PLANS, "-tr", "nnUNetTrainer", "--runs", 1)
    row = next(line for line in shown.stdout.splitlines() if line.startswith("nnUNetTrainer "))
    assert row.count("(1.00x)") == 4
    (line,) = require_understood(shown.stdout, monkeypatch)
    assert line == ["skipx", "bench", "-d", DATASET, "-c", "2d", "-tr", "nnUNetTrainer", "-p", PLANS, "--dry-run"]


def test_loading_is_measured_in_both_modes_and_leaves_nothing_behind(
    workplace: Path, planned: Path, console: Command
) -> None:
    (planned / "splits_final.json").unlink()  # nnU-Net would write it
    before = {path: path.stat().st_mtime_ns for path in workplace.rglob("*")}
    running = processes_of(workplace)
    result = console(
        "skipx",
        "profile",
        "-d",
        99,
        "-c",
        "3d_fullres",
        "-p",
        PLANS,
        "--dataloading",
        "-device",
        "cpu",
        "--iterations",
        2,
        "--json",
    )
    assert {path: path.stat().st_mtime_ns for path in workplace.rglob("*")} == before
    assert processes_of(workplace) <= running, "every worker has ended"
    content = json.loads(result.stdout)
    rows = content["rows"]
    assert {(row["trainer"], row["workers"]) for row in rows} >= {
        (name, workers) for name in ("nnUNetTrainer", "nnUNetTrainer_gpuaug") for workers in (0, 1)
    }
    for row in rows:
        assert min(row["step_seconds"], row["batch_seconds"], row["iteration_seconds"], row["cores_used"]) > 0
        assert 0 <= row["waits"] < 1
    [advice] = content["recommended"]
    assert advice["iteration_seconds"] in [row["iteration_seconds"] for row in rows]
    assert content["notes"] == []


def processes_of(workplace: Path) -> set[str]:
    """The processes with the workplace in their environment (Linux)."""
    return {path.parts[2] for path in Path("/proc").glob("[0-9]*/environ") if str(workplace) in environment_of(path)}


def environment_of(path: Path) -> str:
    """Empty for a process that is gone or somebody else's."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
