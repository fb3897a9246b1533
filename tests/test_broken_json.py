"""Every command ends with a sentence that names the file, whichever of its JSON files holds something else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nnunet_skipx.cli.main import main
from tests.contract import SMALL
from tests.made_up_study import DATASET, TRAINERS, Study, study
from tests.universal.conftest import make_domain

__all__ = ["make_domain", "study"]  # fixtures
CONTENTS = ["", "{", "null", "{}", "[]", "3", '"x"', "[{}]", '{"labels": null}', "NaN", "[[[["]
MODEL_FILES = ["dataset.json", "plans.json", "fold_0/validation/summary.json", "fold_0/debug.json"]
DATA_FILES = ["nnUNetPlans.json", "dataset.json", "splits_final.json", "domains.json"]
COMMANDS = [
    "plan -d 11 -a UTANet",
    "plan -d 11 -a UTANet --explain",
    "plan -d 11 -a UTANet --vram 8",
    "profile -d 11 -c test -device cpu -tr nnUNetTrainer",
    "profile -d 11 -c test -device cpu -tr nnUNetTrainer --dataloading",
    "bench -d 11 -c test -tr nnUNetTrainer --dry-run -device cpu",
    "universal create -d 11 12 --id 500 -c test",
]
READS = {  # the plans are read by all
    "nnUNetPlans.json": COMMANDS,
    "dataset.json": COMMANDS[1:],
    "splits_final.json": [command for command in COMMANDS if command.startswith("bench")],
    "domains.json": [command for command in COMMANDS if command.startswith(("profile", "bench"))],
}


def ends_with_a_sentence(command: list[str], path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(command) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith(f"skipx {command[0]}: ") and str(path) in message
    assert message.count(": ") >= 2, "what was wrong, and what to do"


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", DATA_FILES)
def test_commands_on_planned_data(
    name: str, content: str, make_domain: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_domain(11, SMALL)
    make_domain(12, SMALL)
    (folder / name).write_text(content)
    for command in READS[name]:
        ends_with_a_sentence(command.split(), folder / name, capsys)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_report(name: str, content: str, study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "results" / DATASET / f"{TRAINERS[0]}__nnUNetPlans__3d_fullres"
    shutil.copytree(study.model_folder(TRAINERS[0]), model)
    other = shutil.copytree(study.model_folder(TRAINERS[1]), model.with_name(f"{TRAINERS[1]}__nnUNetPlans__3d_fullres"))
    (model / name).write_text(content)
    command = ["report", "-d", "4", "-f", "0", "--results", str(tmp_path / "results"), "-o", str(tmp_path / "out")]
    if name == "fold_0/debug.json":  # a remark
        assert main(command) == 0
        if content not in ("{}", '{"labels": null}'):  # which is one of which nothing is known
            assert f"{model / name}" in (tmp_path / "out" / "report.json").read_text()
    else:
        ends_with_a_sentence(command, model / name, capsys)
    assert other.is_dir()
