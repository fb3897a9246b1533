"""`skipx list` and `skipx profile` as a user types them, on plans that nnU-Net made."""
import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import DATASET, PLANS, Command

pytestmark = pytest.mark.slow
TRAINERS = ["nnUNetTrainer", "nnUNetTrainerUTANet_twin"]


def test_profile_measures_what_nnunet_planned(workplace: Path, planned: Path, command: Command) -> None:
    before = sorted(workplace.rglob("*"))
    result = command("skipx", "profile", "-d", 99, "-c", "3d_fullres", "-p", PLANS, "-tr", *TRAINERS,
                     "--runs", 1, "--json")  # fmt: skip
    content = json.loads(result.stdout)
    wanted = json.loads((planned / f"{PLANS}.json").read_text())["configurations"]["3d_fullres"]
    header = content["header"]
    assert (header["dataset"], header["plans"], header["configuration"]) == (DATASET, PLANS, "3d_fullres")
    assert (header["patch_size"], header["batch_size"]) == (wanted["patch_size"], wanted["batch_size"])
    assert [row["trainer"] for row in content["trainers"]] == TRAINERS
    for row in content["trainers"]:
        assert all(value > 0 for key, value in row.items() if key != "trainer")
    assert sorted(workplace.rglob("*")) == before, "nothing is written to the user's folders"


def test_the_table_follows_the_list(planned: Path, command: Command) -> None:
    listed = command("skipx", "list").stdout
    assert all(f"\n{name} " in listed for name in ("nnUNetTrainer", "nnUNetTrainerUTANet"))
    shown = command("skipx", "profile", "-d", DATASET, "-c", "2d", "-p", PLANS, "-tr", "nnUNetTrainer", "--runs", 1)
    last = shown.stdout.splitlines()[-1]
    assert last.startswith("nnUNetTrainer ")
    assert last.count("(1.00x)") == 4
