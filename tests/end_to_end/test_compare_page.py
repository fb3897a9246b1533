"""docs/compare.md does what it says: a trainer of one's own becomes a row, beside its twin, and is inspected."""

import json
import os
import re
from pathlib import Path

import pytest

from nnunet_skipx.results.wanted import HD95
from tests.end_to_end.conftest import DATASET, PLANS
from tests.forking.fixture import ForkServer, run_program

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "compare.md"
NAME = "nnUNetTrainerGatedSkips"
SHORT = """
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 1, 3, 1
"""
TWIN = f"""

class {NAME}_twin({NAME}):
    build_network_architecture = staticmethod(nnUNetTrainer.build_network_architecture)
"""


@pytest.fixture(scope="module")
def own_environment(workplace: Path, planned: Path, forked: dict[str, str]) -> dict[str, str]:
    """The page's trainer with a schedule of seconds, and a twin, where nnU-Net looks for trainers."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code.count("        self.num_epochs = 100\n") == 1
    folder = workplace / "my_trainers"
    folder.mkdir()
    short = code.replace("        self.num_epochs = 100\n", SHORT)
    (folder / f"{NAME}.py").write_text(short)
    (folder / f"{NAME}_twin.py").write_text(short + TWIN)
    return {**forked, "nnUNet_n_proc_DA": "0", "nnUNet_extTrainer": str(folder)}


def test_from_a_file_to_a_report(own_environment: dict[str, str], workplace: Path, forks: ForkServer) -> None:
    def skipx(*arguments: object) -> str:
        return run_program([forks.python, "skipx", *arguments], own_environment, check=True).stdout

    cells = ["-d", 99, "-c", "2d", "-p", PLANS, "-f", 0, 1]
    rows = ["-tr", "nnUNetTrainer_demo_1epochs", NAME, f"{NAME}_twin"]
    assert "6 of 6 cells are done" in skipx("bench", *cells, *rows, "-device", "cpu")
    model = workplace / "nnUNet_results" / DATASET / f"{NAME}__{PLANS}__2d"
    assert "Dice" in skipx("inspect", model, "-device", "cpu")

    out = workplace / "report"
    skipx("report", *cells, *rows, "--nsd-mm", 1, "--lesions", "-o", out)
    (content,) = json.loads((out / "report.json").read_text())["comparisons"]
    assert [row["name"] for row in content["rows"]] == rows[1:]
    assert [(c["row"], c["kind"]) for c in content["contrasts"]] == [
        (NAME, "baseline"),
        (f"{NAME}_twin", "baseline"),
        (NAME, "twin"),
    ]
    more = content["costs"][NAME]["parameters"] - content["costs"][f"{NAME}_twin"]["parameters"]
    arguments = json.loads((model / "plans.json").read_text())["configurations"]["2d"]["architecture"]["arch_kwargs"]
    assert more == sum(arguments["features_per_stage"][:-1]), "one gate per channel of each skip"
    assert {line["metric"] for line in content["other_metrics"]} >= {"NSD (1 mm)", HD95, "lesion F1 (IoU > 0.5)"}
    page = (out / "report.html").read_text()
    assert "What the skips did" in page and "Slices" in page and "MSD Task99 Phantom 5-fold" in page
    assert os.path.getsize(out / "report.html") < 5_000_000
