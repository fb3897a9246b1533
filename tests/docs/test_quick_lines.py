"""The command lines of the pages that are quick are run, on small data sets whose trainings are made up and done."""

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.made_up import MadeUpRow, MadeUpStudy, make_study
from nnunet_skipx.cli.main import build_parser, main
from nnunet_skipx.system.files import write_json
from nnunet_skipx.training.spelling import require_trainers
from tests.contract import SMALL, SMALL_2D
from tests.docs.pages import CommandLine, command_lines
from tests.docs.test_command_lines import FILLED_IN, names
from tests.plan_shapes import dataset_json, plans

ANSWERS = {  # command -> what it prints where all went well
    "list": "General options",
    "cite": "@",
    "plan": "wrote |Predicted peak of a training step",
    "bench": r"\b(\d+) of \1 cells are done",
    "report": "wrote .*report.html",
    "create": "Go on with\n    nnUNetv2_train 500 ",
}
SLOW = ("--vram", "--slurm", "--test", "-pretrained_weights", "--parameters", "--nsd-mm", "--architectures", "--skips")
FOLDS, REPLICATES = 5, 3


def is_quick(line: CommandLine) -> bool:
    """Whether a line needs neither a network, a trained model, nor more than a second or two."""
    if line.words[0] != "skipx" or {*line.words} & {*SLOW}:
        return False
    args = build_parser().parse_args([FILLED_IN.get(word, word) for word in line.words[1:]])
    if (args.command if args.command != "universal" else args.step) not in ANSWERS:
        return False
    try:
        require_trainers(word for word in line.words if word.startswith("nnUNetTrainer"))
    except ValueError:  # of the reader's own
        return False
    if args.command == "report":  # each takes seconds: those of one data set, and not the same rows into another folder
        return len(args.datasets) == 1 and bool(args.trainers) and "-o" not in line.words
    return getattr(args, "architecture", "UTANet") == "UTANet"


QUICK = {text: line for text, line in names(command_lines()).items() if is_quick(line)}


def asked(letter: str, text: str) -> list[str]:
    """The values of a letter in a line."""
    words = text.split()
    after = words[words.index(letter) + 1 :] if letter in words else []
    return list(itertools.takewhile(lambda word: not word.startswith("-"), after))


def trained() -> dict[str, set[str]]:
    """Data set -> the trainers that some line has it trained by."""
    found: dict[str, set[str]] = {}
    for text in QUICK:
        for dataset in asked("-d", text):
            found.setdefault(FILLED_IN.get(dataset, dataset), set()).update(asked("-tr", text))
    return found


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nnU-Net's three folders with what the lines presuppose: plans, and trainings that are done."""
    root = tmp_path_factory.mktemp("workplace")
    content = plans(SMALL)
    del content["continue_training"]
    test = content["configurations"].pop("test")
    flat = plans(SMALL_2D)["configurations"]["test"]
    content["configurations"] = {"3d_fullres": test, "2d": {**flat, "data_identifier": "nnUNetPlans_2d"}}
    for number, trainers in trained().items():
        name = f"Dataset{int(number):03d}_Made"
        folder = root / "nnUNet_preprocessed" / name
        for identifier in ("nnUNetPlans_test", "nnUNetPlans_2d"):
            (folder / identifier).mkdir(parents=True)
            (folder / identifier / "case_00.pkl").touch()
        write_json(folder / "nnUNetPlans.json", content | {"dataset_name": name})
        write_json(folder / "dataset.json", dataset_json())
        write_json(folder / "dataset_fingerprint.json", {})
        rows = tuple(MadeUpRow(trainer, 1.0 + 0.1 * n, 0.1, 5.0) for n, trainer in enumerate(sorted(trainers)))
        study = MadeUpStudy(rows, name, cases=10, replicates=REPLICATES if number == "4" else 1, epochs=2)
        for model in make_study(root, study):
            write_json(model / "plans.json", content | {"dataset_name": name})
            shutil.copytree(model, model.with_name(model.name.replace("3d_fullres", "2d")))
    (root / "results").rename(root / "nnUNet_results")
    (root / "nnUNet_raw").mkdir()
    return root


@pytest.fixture
def typed(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where a reader of the pages would type."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, str(workplace / name))
    monkeypatch.setenv("XDG_CACHE_HOME", str(workplace))
    monkeypatch.chdir(workplace)
    yield
    for made in (workplace / "nnUNet_preprocessed").glob("Dataset500_*"):
        shutil.rmtree(made)


@pytest.mark.parametrize("text", QUICK)
def test_a_quick_line_does_what_it_says(text: str, typed: None, capsys: pytest.CaptureFixture) -> None:
    words = [FILLED_IN.get(word, word) for word in QUICK[text].words[1:]]
    if words[0] == "bench" and "--dry-run" not in words:
        main([*words, "--dry-run"])
        told = capsys.readouterr().out
        assert re.search(ANSWERS["bench"], told), f"the test would train: {told}"
    status, told = main(words), capsys.readouterr()
    assert status == 0, f"{QUICK[text].place}: {told.err}"
    command = words[1] if words[0] == "universal" else words[0]
    assert re.search(ANSWERS[command], told.out), told.out


def test_every_kind_of_quick_command_is_among_them() -> None:
    assert {word for line in QUICK.values() for word in line.words[1:3]} >= {*ANSWERS}
