"""Values on the command line: absurd, of other kinds, empty, given twice, or names that lead elsewhere."""

import shlex
from pathlib import Path

import pytest

from tests.bad_inputs.ending import assert_refused, ending
from tests.contract import SMALL_2D
from tests.made_up_study import Study, study
from tests.universal.conftest import Make, make_domain

__all__ = ["make_domain", "study"]  # fixtures
BENCH = "bench -d 11 -c test -tr nnUNetTrainer --dry-run -device cpu"
CREATE = "universal create -d 11 12 --id 500 -c test"
PROFILE = "profile -d 11 -c test -device cpu -tr nnUNetTrainer"
COUNTS = ("²", "٣", "1_0", "0x1", "1.5", "nan", "''", "9" * 30, "9" * 5000, "-1", "100000")
FOLDS = ("all", *COUNTS)
REALS = ("nan", "inf", "1e300", "-1", "x", "''", "²", "٣", "0_1")
NAMES = ("''", "²", "../x", "-5", "9" * 30, "'*'", "'a b'")
TABLE: dict[str, tuple[str, ...]] = {  # a command with a place for each of some values
    f"{BENCH} --replicates {{}}": COUNTS,
    f"{BENCH} -f {{}}": (*COUNTS, "All", "0 all all"),
    f"{BENCH} -f 0 {{}}": ("0",),
    f"{BENCH} --jobs {{}}": COUNTS,
    f"{BENCH} --gpus {{}}": ("''", "²", "0,0", "99", "-1"),
    "bench -d 11 -c test --dry-run -device cpu -tr {}": (*NAMES, "nnUNetTrainerUTANet_999999999epochs"),
    "bench -d 11 -c test --dry-run -device cpu --architectures {}": NAMES,
    f"{BENCH} --skips {{}}": ("''", "all", "cut cut"),
    "bench -d {} -c test -tr nnUNetTrainer --dry-run -device cpu": (*NAMES, "11 11", "11 Dataset011_Made", "11 011"),
    "bench -d 11 -c {} -tr nnUNetTrainer --dry-run -device cpu": ("''", "test test", "../test"),
    f"{BENCH} -p {{}}": ("''", "../Dataset011_Made/nnUNetPlans", "nnUNetPlans nnUNetPlans", "/etc/passwd"),
    "bench -d 11 -c test -tr nnUNetTrainer --slurm {}": (
        "time=²",
        "time=",
        "time=-5",
        "=",
        "time=60 time=70",
        "time=1",
    ),
    "bench --matrix {}": ("nowhere.toml", ".", "''", "' '"),
    f"{BENCH} -pretrained_weights {{}}": ("''", "' '", "nowhere", ".", "/dev/null"),
    "bench -d 11 -c test -tr nnUNetTrainer nnUNetTrainerUTANet --power {}": (
        "nowhere",
        "d/file",
        "' '",
        "--margin 2",
        "--paired-sd 1",
        "--paired-sd 0_1",
        "--seed-sd ٣",
        "-f 9",
    ),
    "bench -d {} -c test -tr nnUNetTrainer --power": ("99", "' 11'", "11 011"),
    "cite {}": ("''", "nobody", "../x", "nnUNetTrainerUTANet_0epochs", "nnUNetTrainerUTANet_١epochs"),
    "wheelhouse {}": ("''", "' '", "d/file", "/dev/null"),
    "wheelhouse d --package {}": ("''", "' '", "nowhere.whl"),
    "report -d {} -f 0": (*NAMES, "4 4", "4 004", "4 Dataset004_Hippocampus"),
    "report -d 4 -f {}": (*FOLDS, "'0' '0'"),
    "report -d 4 -f 0 --rope {}": (*REALS, "2", "0"),
    "report -d 4 -f 0 --nsd-mm {}": (*REALS, "1 2"),
    "report -d 4 -f 0 --lesion-iou {}": (*REALS, "2"),
    "report -d 4 -f 0 --lesion-min-mm3 {}": REALS,
    "report -d 4 -f 0 -tr {}": ("nobody", "nnUNetTrainer nnUNetTrainer"),
    "report -d 4 -f 0 {}": (
        "-c ''",
        "-c 3d_fullres 3d_fullres",
        "-p nnUNetPlans nnUNetPlans",
        "--baseline ''",
        "--profile nowhere.json",
        "--profile .",
        "--profile ''",
        "--images ''",
        "--references nowhere --lesions",
        "-o ''",
        "-o ' '",
        "--profile /dev/null",
        "--cluster .",
        "--covariates . .",
        "--metrics x",
        "--metrics NSD",
        "--failure 2",
        "--margin 2",
    ),
    "inspect MODEL {}": ("-chk ''", "-chk ../x", "-chk /etc/passwd", "-chk '*'", "-f 0 0", "-f all", "-device cuda"),
    "inspect {}": ("nowhere", "''", "."),
    "plan -d 11 -a UTANet --vram {}": REALS,
    "plan -d 11 -a {}": ("''", "Nobody", "../UTANet"),
    "plan -d {} -a UTANet": NAMES,
    "plan -d 11 -a UTANet -p {}": ("''", "../Dataset011_Made/nnUNetPlans"),
    f"{PROFILE} --runs {{}}": COUNTS,
    f"{PROFILE} --dataloading --iterations {{}}": ("²", "0", "-1", "9" * 30, "1000000"),
    f"{PROFILE} --dataloading -f {{}}": ("²", "-1", "x", "9" * 30),
    f"{PROFILE} {{}}": ("-f 0", "--iterations 3", "--dataloading --runs 3", "-p ''", "-p ../x"),
    "profile -d 11 -device cpu -c {}": ("''", "nothing"),
    "universal create -d {} --id 500 -c test": ("11", "11 11", "11 Dataset011_Made", "11 ²", "11 ../x"),
    "universal create -d 11 12 --id {} -c test": (*COUNTS, "11", "0"),
    f"{CREATE} --feature-scale {{}}": (*REALS, "0"),
    f"{CREATE} --name {{}}": ("''", "../x", "'a b'", "ü"),
    f"{CREATE} {{}}": ("-p ''", "-p ../x", "-c test test", "-c ''"),
    "universal extract -d {}": (*COUNTS, "500", "11", "500 -f ²", "500 -f ../x", "500 -f 0 0", "500 -tr nobody"),
    "universal adapt --id 500 -d 11 -f {}": COUNTS,
    "universal adapt --id {} -d 11 -f 0": ("500", "²", "-1"),
    "convert btcv source -d {}": COUNTS,
    "convert btcv source -d 7 -np {}": COUNTS,
    "convert {} -d 7": ("btcv ''", "btcv nowhere", "msd nowhere", "msd .", "nobody x", "synapse x --label-map x"),
    "data check -d {}": NAMES,
    "fetch {}": ("msd", "msd ²", "msd ''", "msd 11", "msd Task", f"msd {'9' * 30}", "nobody", "msd 4 -o ''"),
    "demo -o d -f {}": (*FOLDS, "5", "0 0"),
    "demo -o d -tr {}": ("''", "nobody", "nnUNetTrainer nnUNetTrainer", "nnUNetTrainerU2NetUniversal"),
    "demo {}": ("hippocampus", "-o ''", "-o d --data nowhere", "-o d --data .", "-o d --data ''"),
    "{}": ("list more", "doctor more", "nobody", "''"),
}


@pytest.mark.parametrize("command", TABLE)
def test_values(command: str, make_domain: Make, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for domain in (11, 12):
        make_domain(domain, SMALL_2D)
    model = tmp_path / "nnUNet_results" / "Dataset004_Hippocampus" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    (model / "fold_0").mkdir(parents=True)
    for name in ("plans.json", "dataset.json", "fold_0/checkpoint_final.pth"):
        (model / name).touch()
    (tmp_path / "d").mkdir()  # of a demo
    (tmp_path / "d" / "file").touch()
    before = sorted(tmp_path.glob("nnUNet*/**/*"))
    for value in TABLE[command]:
        words = shlex.split(command.format(value).replace("MODEL", str(model)))
        if words[:1] == ["report"]:
            words += ["--results", str(study.results)]
        end = ending(*words)
        assert_refused(end)
        named = ("twice", "no task", *(word.strip(".") for word in shlex.split(value)))
        assert len(value) > 99 or any(word in end.err for word in named), end.err
    assert sorted(tmp_path.glob("nnUNet*/**/*")) == before
