"""What a user gets wrong is answered before torch is imported: modules are counted, not seconds."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nnunet_skipx.results.row_cost import network_of
from nnunet_skipx.system.files import write_json
from tests.contract import SMALL
from tests.made_up_study import DATASET, Study, study
from tests.plan_shapes import dataset_json, plans

__all__ = ["study"]  # fixture
HEAVY = ("torch", "monai", "matplotlib", "nnunetv2")
WITH_CONVERTERS = ("torch", "monai", "matplotlib")  # whose readers are nnU-Net's, of a module without torch
# One process for all: what a command has imported stays, so the first one with something heavy is found.
RUN = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from nnunet_skipx.cli.main import main
for words, heavy, status in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            found = main(words.split())
        except SystemExit as error:
            found = error.code
    print(json.dumps([words, found == status, [m for m in heavy if m in sys.modules], out.getvalue() + err.getvalue()]))
"""
ANSWERS = {  # command line -> a word of its answer
    "--help": "bench",
    "benhc": "did you mean bench?",
    "list": "nnUNetTrainerUTANet",
    "list --json": "own_options",
    "ext-path": "discovery",
    "bench --help": "--dry-run",
    "bench": "-d is missing",
    "bench -d 99 -c test -tr nnUNetTrainer": "'99' was not found",
    "bench -d Dataset998_Tset -c test -tr nnUNetTrainer": "did you mean Dataset998_Test?",
    "bench -d 998 -c tset -tr nnUNetTrainer": "did you mean test?",
    "bench -d 998 -c done -tr nnUNetTrainerUTANet_twn": "did you mean _twin?",
    "bench -d 998 -c done -tr nnUNetTrainerUTANet_250epoch": "did you mean _250epochs?",
    "bench -d 998 -c done -tr nnUNetTrainer_250epoch": "did you mean _250epochs?",
    "bench -d 998 -c done -tr nnUNetTrainerUTAnet": "did you mean nnUNetTrainerUTANet?",
    "bench -d 998 -c done -tr nnUNetTrainerBM": "did you mean nnUNetTrainerBN?",
    "bench -d 998 -c done -tr nnUNetTrainer -f 9": "has no fold 9",
    "bench -d 998 -c done --architectures UTAnet": "did you mean UTANet?",
    "bench -d 998 -c done -tr nnUNetTrainerXUNet --skips cut": "nnUNetTrainerXUNet has no skips to cut",
    "bench -d 998 -c done -tr nnUNetTrainer_skips0111": "0111 says which of 4 skips are kept",
    "bench -d 998 -c done -tr nnUNetTrainer --gpus x": "'x' is no GPU, give their numbers with commas",
    "bench -d 998 -c done -tr nnUNetTrainer --gpus 0,1,01": "a GPU is named twice",
    "bench -d 998 -c done -tr nnUNetTrainer --gpus 0 -device cpu --dry-run": "exclude each other",
    "bench -d 998 -c done -tr nnUNetTrainer --gpus 0 --jobs 1": "--jobs 1 is for the CPU",
    "bench -d 998 -c done -tr nnUNetTrainer --jobs 999": "--jobs 999 does not fit",
    "bench --matrix nowhere.toml": "nowhere.toml does not exist",
    "report -d 4": "'4' has no results",
    "report -d 4 --results nowhere": "nowhere does not exist",
    "report -d 4 --covariates nowhere.csv": "--covariates: nowhere.csv does not exist",
    "report -d 4 --references nowhere --lesions": "--references: nowhere does not exist",
    "report -d 4 --profile nowhere.json": "--profile: nowhere.json does not exist: skipx profile",
    "bench -d 998 -c done -tr nnUNetTrainer nnUNetTrainerXUNet --power nowhere": "--power: nowhere does not exist",
    "inspect nowhere": "nowhere does not exist",
    "inspect -d 4 -c 2d -tr nnUNetTrainer": "'4' has no results",
    "plan -d 99 -a UTANet": "'99' was not found",
    "plan -d 998 -a utanett": "did you mean UTANet?",
    "profile -d 99 -c 2d": "'99' was not found",
    "profile -d 998 -c tset": "did you mean test?",
    "profile -d 998 -c test -tr nobody": "finds no trainer 'nobody'",
    "profile -d 998 -c test -tr nnUNetTrainer nnUNetTrainer": "nnUNetTrainer is named twice",
    "profile -d 998 -c test --dataloading --runs 3": "--runs is not for --dataloading",
    "profile -d 998 -c test --dataloading": "run nnUNetv2_preprocess -d 998",
    "bench -d 998 -c done -tr nnUNetTrainer --slurm time=x": "--slurm time=x: give a whole number",
    "universal create -d 11 12 --id 500": "'11' was not found",
    "universal create -d 998 998 -c test --id 998": "the id 998 is taken",
    "universal create -d 998 998 -c test --id 5 --name ../x": "a name letters, digits",
    "universal extract -d 500": "train the run first",
    "universal adapt --id 500 -d 7 -f 0": "train the run first",
    "data check -d 9": "holds no data set 9",
    "fetch msd": "Task04_Hippocampus",
    "fetch msd Task04_Hipocampus": "did you mean Task04_Hippocampus?",
    "demo -o d --data nowhere": "nowhere does not exist",
    "demo -o d -tr nnUNetTrainerUTNet": "did you mean nnUNetTrainerUTANet?",
    "demo -o d -f 7": "there is no fold 7",
}
CONVERTERS = {"fetch acdc": "humanheart-project", "convert btcv nowhere -d 9": "nowhere does not exist"}
ON_RESULTS = {  # of the made-up study; to a right one torch is added by nothing but networks that are not counted yet
    f"report -d {DATASET} -f 9 -o {{out}}": "not validated yet: nnUNetTrainer fold 9",
    f"report -d {DATASET} -f 0 1 2 --baseline nobody -o {{out}}": "'nobody' is none of the rows",
    f"report -d {DATASET} -f 0 1 2 --margin 0.01 --failure ECE=1 -o {{out}}": "ECE",
    f"report -d {DATASET} -f 0 1 2 --nsd-mm 1 2 -o {{out}}": "--nsd-mm has 2 values",
    f"report -d {DATASET} -f 0 1 2 -o {{out}}": "Undecided between",
}
WITH_FIGURES = ("torch", "monai", "nnunetv2.utilities.plans_handling.plans_handler")
UNSET = {
    "bench -d 998 -c done -tr nnUNetTrainer": "nnUNet_results is not set",
    "report -d 4": "nnUNet_results is not set",
    "inspect -d 4 -c 2d -tr nnUNetTrainer": "nnUNet_results is not set",
    "plan -d 998 -a UTANet --vram 8": "nnUNet_preprocessed is not set",
    "profile -d 998 -c test": "nnUNet_preprocessed is not set",
    "universal extract -d 500": "nnUNet_results is not set",
    "data check -d 9": "nnUNet_raw is not set",
}
PRINTED = (*list(ON_RESULTS)[-1:], "--help", "list", "list --json", "ext-path", "bench --help", "fetch acdc")


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """nnU-Net's variables; data set 998 is planned, its configuration `done` preprocessed, too."""
    names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    for name in names:
        (tmp_path / name).mkdir()
    folder = tmp_path / "nnUNet_preprocessed" / "Dataset998_Test"
    (folder / "done").mkdir(parents=True)
    (folder / "done" / "case.pkl").touch()
    content = plans(SMALL)
    content["configurations"]["done"] = {"inherits_from": "test", "data_identifier": "done"}
    write_json(folder / "nnUNetPlans.json", {**content, "dataset_name": folder.name})
    write_json(folder / "dataset.json", dataset_json())
    return {name: str(tmp_path / name) for name in names}


def answers(table: dict[str, str], heavy: tuple[str, ...], variables: dict[str, str], folder: Path) -> None:
    """Run the command lines one after the other in a fresh process, and look at what each said and has imported."""
    out = {"out": folder / "report"}
    asked = [(words.format(**out), heavy, 0 if words in PRINTED else 2) for words in table]
    others = {name: value for name, value in os.environ.items() if not name.startswith("nnUNet_")}
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
    result = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(asked)],
        cwd=folder,
        env={**others, **variables, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(told) == len(table)
    for (words, status_is_right, imported, text), answer in zip(told, table.values(), strict=True):
        assert not imported, f"skipx {words} imports {imported}"
        assert status_is_right and answer in text, f"skipx {words}: {text}"
        assert "Traceback" not in text


def test_answers_come_without_torch(folders: dict[str, str], tmp_path: Path) -> None:
    answers(ANSWERS, HEAVY, folders, tmp_path)


def test_converters_come_without_torch(folders: dict[str, str], tmp_path: Path) -> None:
    answers(CONVERTERS, WITH_CONVERTERS, folders, tmp_path)


def test_a_report_comes_without_torch_once_its_networks_are_counted(
    study: Study, folders: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    results = tmp_path / "results"
    shutil.copytree(study.results, results)
    content = plans(SMALL)
    content["configurations"]["3d_fullres"] = content["configurations"].pop("test")
    for folder in results.glob("*/*__*"):
        write_json(folder / "plans.json", content)
        network_of(folder)
    answers(ON_RESULTS, WITH_FIGURES, {**folders, "nnUNet_results": str(results)}, tmp_path)
    assert "Parameters" in (tmp_path / "report" / "report.html").read_text()


def test_a_variable_that_is_not_set_is_named_without_torch(tmp_path: Path) -> None:
    answers(UNSET, HEAVY, {}, tmp_path)
