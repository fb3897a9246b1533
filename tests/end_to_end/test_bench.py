"""`skipx bench` as a user types it: interrupted twice, it ends in the same numbers as in one go."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.nnunet.checkpoints import read_checkpoint
from nnunet_skipx.nnunet.folds import FINAL, NOTHING_LEFT
from nnunet_skipx.nnunet.planned import planned_skips
from nnunet_skipx.results.collect import collect
from nnunet_skipx.skips.kept import masks
from tests.end_to_end.conftest import DATASET, PLANS, Command
from tests.forking.fixture import ForkServer
from tests.forking.killing import kill

pytestmark = pytest.mark.slow
MODELS = [f"{trainer}_demo_2epochs__{PLANS}__3d_fullres" for trainer in ("nnUNetTrainer", "nnUNetTrainerUTANet")]
MATRIX = [
    "-d",
    "99",
    "-c",
    "3d_fullres",
    "-p",
    PLANS,
    "-f",
    "0",
    "1",
    "-device",
    "cpu",
    "-tr",
    "nnUNetTrainer_demo_2epochs",
    "nnUNetTrainerUTANet_demo_2epochs",
]


@pytest.fixture
def bench(forks: ForkServer, forked: dict[str, str], workplace: Path) -> Callable[..., subprocess.Popen]:
    def start(results: str, *options: str) -> subprocess.Popen:
        (workplace / results).mkdir(exist_ok=True)
        return subprocess.Popen(
            [forks.python, "skipx", "bench", *MATRIX, *options],
            env={**forked, "nnUNet_n_proc_DA": "0", "nnUNet_results": str(workplace / results)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def table(workplace: Path, results: str) -> pd.DataFrame:
    return collect([workplace / results / DATASET / model for model in MODELS], [0, 1])


def wait_for(process: subprocess.Popen, workplace: Path, pattern: str) -> None:
    deadline = time.monotonic() + 300
    while not list(workplace.glob(pattern)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)


def test_interrupted_twice_it_gives_the_same_table(
    workplace: Path, planned: Path, bench: Callable[..., subprocess.Popen]
) -> None:
    process = bench("stops")
    wait_for(process, workplace, f"stops/{DATASET}/*/fold_0/checkpoint_latest.pth")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in errors

    process = bench("stops")
    wait_for(process, workplace, f"stops/{DATASET}/*/fold_1/checkpoint_latest.pth")
    kill(process, workplace / "stops")

    dry = bench("stops", "--dry-run").communicate(timeout=300)[0]
    assert " of 4 cells are done; the others take about" in dry
    assert " of 2 epochs" in dry

    output, errors = bench("stops").communicate(timeout=600)
    assert "4 of 4 cells are done.\nGo on with\n    skipx report -d 99 -c 3d_fullres" in output, output + errors
    resumed = [path for path in (workplace / "stops" / DATASET).glob("*/fold_*") if len(logs(path)) > 1]
    assert resumed, "no training was interrupted: the test has tested nothing"

    output, errors = bench("one_go").communicate(timeout=600)
    assert "4 of 4 cells are done.\nGo on with\n    skipx report -d 99 -c 3d_fullres" in output, output + errors
    pd.testing.assert_frame_equal(table(workplace, "stops"), table(workplace, "one_go"), check_exact=True)


def logs(fold: Path) -> list[Path]:
    return list(fold.glob("training_log_*.txt"))


def test_a_matrix_in_a_file_finds_the_same_cells(workplace: Path, planned: Path, command: Command) -> None:
    path = workplace / "matrix.toml"
    trainers = ["nnUNetTrainer_1epoch"]
    path.write_text(f"d = 99\nc = '3d_fullres'\ntr = {json.dumps(trainers)}\np = '{PLANS}'\nf = 1\n")
    asked = ["--matrix", path, "--dry-run", "-device", "cpu", "--slurm", "time=60"]  # nothing is submitted either
    lines = command("skipx", "bench", *asked).stdout.splitlines()
    assert lines[1].split()[:4] == [DATASET, "3d_fullres", "1", "nnUNetTrainer_1epoch"]
    assert "missing" in lines[1]
    assert lines[-3].startswith("0 of 1 cells are done; the others take about")
    assert not (workplace / "nnUNet_results" / DATASET).exists(), "a dry run writes nothing"


def test_replicates_are_trainings_of_their_own_and_a_report_has_them_all(
    workplace: Path, planned: Path, command: Command, tmp_path: Path
) -> None:
    trainer = "nnUNetTrainer_demo_1epochs"
    letters = ["-d", 99, "-c", "2d", "-p", PLANS, "-f", 1, "-tr", trainer]
    asked = ["skipx", "bench", *letters, "-device", "cpu", "--replicates", 2]
    assert "2 of 2 cells are done." in command(*asked).stdout
    results = workplace / "nnUNet_results"
    folds = [place / DATASET / f"{trainer}__{PLANS}__2d" / "fold_1" for place in (results, results / "replicate_2")]
    assert [len(logs(fold)) for fold in folds] == [1, 1]
    first, second = (read_checkpoint(fold / FINAL, ["network_weights"])["network_weights"] for fold in folds)
    assert first.keys() == second.keys()
    assert not torch.equal(*(torch.cat([x.flatten() for x in weights.values()]) for weights in (first, second)))
    assert "2 of 2 cells are done" in command(*asked, "--dry-run").stdout
    asked.insert(2, "--test")
    assert command(*asked).stdout.count("nothing can be evaluated") == 1, "there is no labelsTs"
    assert [len(list((fold.parent / "test_folds_1").glob("*.nii.gz"))) for fold in folds] == [2, 2]
    command("skipx", "report", *letters, "-o", tmp_path)
    (found,) = json.loads((tmp_path / "report.json").read_text())["comparisons"]
    means = found["rows"][0]["replicate_means"]
    assert set(means) == {"1", "2"} and means["1"] != means["2"]


@pytest.fixture
def cascade(planned: Path) -> str:
    """Plans of which 3d_fullres has a next stage; their name."""
    plans = json.loads((planned / f"{PLANS}.json").read_text()) | {"plans_name": "nnUNetCascadePlans"}
    plans["configurations"]["3d_fullres"]["next_stage"] = "3d_next"
    plans["configurations"]["3d_next"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_fullres"}
    (planned / "nnUNetCascadePlans.json").write_text(json.dumps(plans))
    return "nnUNetCascadePlans"


def test_fold_all_is_trained_and_neither_compared_nor_inspected(
    workplace: Path, planned: Path, cascade: str, command: Command
) -> None:
    trainer = "nnUNetTrainer_demo_1epochs"
    asked = ["-d", 99, "-c", "3d_fullres", "-tr", trainer, "-p", PLANS, cascade, "-f", "all", "-device", "cpu"]
    output = command("skipx", "bench", *asked, "--jobs", 1).stdout
    assert output.count("done, trained on every case") == 2 and "2 of 2 cells are done." in output
    results = workplace / "nnUNet_results" / DATASET
    single, first = (results / f"{trainer}__{plans}__3d_fullres" for plans in (PLANS, cascade))
    assert not (single / "fold_all" / "validation").exists()
    assert (first / "fold_all" / "validation" / "summary.json").is_file(), "the next stage needs every case predicted"
    assert len(list((first / "predicted_next_stage" / "3d_next").iterdir())) == 6
    assert "2 of 2 cells are done" in command("skipx", "bench", *asked, "--dry-run").stdout
    for options in (["-f", "all"], []):
        for words in (["inspect", single, "-device", "cpu"], ["report", "-d", 99, "-tr", trainer, "-p", PLANS]):
            refused = command("skipx", *words, *options, check=False)
            assert refused.returncode == 2 and NOTHING_LEFT in refused.stderr, refused.stderr


def test_wrong_words_are_refused_before_anything_runs(planned: Path, command: Command) -> None:
    result = command("skipx", "bench", "-d", 99, "-c", "3d_fullres", check=False)
    assert result.returncode == 2
    assert "-tr is missing" in result.stderr
    result = command("skipx", "bench", *MATRIX[:-2], "nnUNetTrainerUtanet", check=False)
    assert result.returncode == 2
    assert "did you mean nnUNetTrainerUTANet?" in result.stderr


def test_a_warm_row_stands_beside_the_one_from_scratch(workplace: Path, planned: Path, command: Command) -> None:
    weights, trainer = workplace / "stock.pth", "nnUNetTrainerUTANet_demo_1epochs"
    content = json.loads((workplace / "nnUNet_preprocessed" / DATASET / f"{PLANS}.json").read_text())
    network = network_of(content, "3d_fullres")
    torch.save({"network_weights": network.state_dict()}, weights)
    words = ["-d", 99, "-c", "3d_fullres", "-p", PLANS, "-f", 0, "-device", "cpu", "-tr", trainer]
    assert "2 of 2 cells are done" in command("skipx", "bench", *words, "-pretrained_weights", weights).stdout
    folders = [workplace / "nnUNet_results" / DATASET / f"{name}__{PLANS}__3d_fullres" for name in rows(trainer)]
    told = ["Pretrained weights: " in logs(folder / "fold_0")[0].read_text() for folder in folders]
    assert told == [False, True]
    torch.save({"network_weights": {}}, weights)
    refused = command("skipx", "bench", *words, "-pretrained_weights", weights, check=False)
    assert refused.returncode == 2 and "whose content is another" in refused.stderr


def rows(trainer: str) -> tuple[str, str]:
    return trainer, f"{trainer}_warm"


def network_of(plans: dict, configuration: str) -> torch.nn.Module:
    """The stock network of a phantom's plans."""
    manager = PlansManager(plans)
    return nnUNetTrainer.build_network_architecture(manager, manager.get_configuration(configuration), 1, 3, True)


def test_which_skip_matters_is_one_command_and_a_report(
    workplace: Path, planned: Path, command: Command, tmp_path: Path
) -> None:
    skips = planned_skips(json.loads((planned / f"{PLANS}.json").read_text()), "3d_fullres")
    masked = [f"nnUNetTrainer_skips{mask}_demo_1epochs" for mask in masks(skips, "cut")]
    trainers = ["nnUNetTrainer_demo_1epochs", *masked, "nnUNetTrainerNoSkip_demo_1epochs"]
    letters = ["-d", 99, "-c", "3d_fullres", "-p", PLANS, "-f", 0]
    asked = ["skipx", "bench", *letters, "-tr", trainers[0], "--skips", "cut", "-device", "cpu"]
    lines = command(*asked, "--dry-run").stdout.splitlines()
    assert [line.split()[3] for line in lines[1 : len(trainers) + 1]] == trainers
    assert f"{len(trainers)} of {len(trainers)} cells are done." in command(*asked).stdout

    images, output = workplace / "nnUNet_raw" / DATASET / "imagesTs", tmp_path / "predicted"
    where = ["-i", images, "-o", output, *letters, "-tr", masked[0], "-device", "cpu", "-npp", 1, "-nps", 1]
    command("nnUNetv2_predict", *where)
    assert len(list(output.glob("*.nii.gz"))) == 2

    command("skipx", "report", *letters, "-tr", *reversed(trainers), "-o", tmp_path / "report")
    (found,) = json.loads((tmp_path / "report" / "report.json").read_text())["comparisons"]
    assert found["baseline"] == trainers[0]
    assert sorted(trainers, key=lambda name: found["costs"][name]["parameters"]) == trainers[::-1]
