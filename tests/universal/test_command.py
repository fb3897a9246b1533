"""`skipx universal`: letters become arguments, mistakes one sentence and exit status 2."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nnunet_skipx.bench.estimate import hours_left
from nnunet_skipx.bench.matrix import Matrix, cells
from nnunet_skipx.cli.main import main
from nnunet_skipx.results.find_models import find_models
from nnunet_skipx.universal.run import read_run
from tests.universal.conftest import Make
from tests.universal.runs import SHALLOW, UNIVERSAL


@pytest.fixture
def domains(make_domain: Make) -> Path:
    make_domain(11, SHALLOW)
    return make_domain(12, SHALLOW, channels=4).parent


def create(*options: str) -> int:
    return main(["universal", "create", "-d", "11", "Dataset012_Made", "--id", "500", "-c", "test", *options])


def test_create_prints_the_domains_and_how_to_train_them(domains: Path, capsys: pytest.CaptureFixture) -> None:
    assert create("--name", "Two", "--sampling", "sqrt", "--feature-scale", "2") == 0
    printed = capsys.readouterr().out
    assert f"wrote {domains / 'Dataset500_Two'}" in printed
    assert f"nnUNetv2_train 500 test 0 -tr {UNIVERSAL} -p nnUNetPlans" in printed
    run = read_run("Dataset500_Two")
    assert (run.sampling, run.feature_scale) == ("sqrt", 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "-d", "11", "12", "--id", "11", "-c", "test"], "the id 11 is taken"),
        (["create", "-d", "11", "12", "--id", "500"], "no configuration '3d_fullres'"),
        (["extract", "-d", "500"], "no results Dataset500_"),
        (["adapt", "--id", "500", "-d", "11", "-f", "0", "-c", "test", "-device", "cpu"], "train the run first"),
    ],
)
def test_mistakes_are_one_sentence(
    domains: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(["universal", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("skipx universal: ")
    assert message in said


def test_bench_takes_a_run_for_a_data_set_as_long_as_its_domains(
    domains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnunet_skipx.bench.estimate.paired_seconds", lambda steps, **_: {"step": [1.0]})
    assert create() == 0
    results = domains.parent / "nnUNet_results"
    (cell,) = cells(Matrix(("500",), ("test",), (f"{UNIVERSAL}_demo",), folds=(3,)), results)
    assert str(cell) == f"Dataset500_Universal test fold 3 {UNIVERSAL}_demo nnUNetPlans"
    parts = [replace(cell, dataset=f"Dataset{n:03d}_Made", trainer="nnUNetTrainerU2Net_demo") for n in (11, 12)]
    hours = hours_left([cell, *parts], "cpu")
    assert hours[cell] == pytest.approx(hours[parts[0]] + hours[parts[1]])
    assert hours[parts[0]] > 5 * 40 / 3600


def test_a_run_has_no_report_and_no_profile_of_its_own(domains: Path, capsys: pytest.CaptureFixture) -> None:
    assert create() == 0
    assert main(["profile", "-d", "500", "-c", "test"]) == 2
    assert "profile nnUNetTrainerU2Net on each of its domains, Dataset011_Made, Dataset012_Made" in (
        capsys.readouterr().err
    )
    model = domains.parent / "nnUNet_results" / "Dataset500_Universal" / f"{UNIVERSAL}__nnUNetPlans__test"
    shutil.copytree(domains / "Dataset500_Universal", model)
    with pytest.raises(ValueError, match=r"is a universal run.*-d 11 12, .*nnUNetTrainerU2Net\.\.\._from500"):
        find_models(model.parents[1], "500", ["test"], None, None)
