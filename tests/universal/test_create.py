"""`skipx universal create`: what it writes, and what it refuses before it writes anything."""

import json
from pathlib import Path

import pytest
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.system.staging import staging_folder
from nnunet_skipx.universal.create import create_run, publish
from nnunet_skipx.universal.models import STAGING
from nnunet_skipx.universal.run import read_run
from tests.plan_shapes import SHAPES
from tests.universal.conftest import Make
from tests.universal.runs import SHALLOW, make_run


def test_the_run_is_a_data_set_that_holds_what_the_domains_share(
    make_domain: Make, capsys: pytest.CaptureFixture
) -> None:
    folder = make_run(make_domain, name="Both", sampling="sqrt")
    assert folder.name == "Dataset500_Both"
    assert {path.name for path in folder.iterdir()} == {"nnUNetPlans.json", "dataset.json", "domains.json"}
    plans = json.loads((folder / "nnUNetPlans.json").read_text())
    assert (plans["dataset_name"], plans["plans_name"]) == ("Dataset500_Both", "nnUNetPlans")
    shared = plans["configurations"]["test"]["architecture"]["arch_kwargs"]
    assert shared["features_per_stage"] == [4, 8, 16, 32]
    assert shared["kernel_sizes"] == [[3, 3, 3]] * 4, "per axis the largest of all domains"
    run = read_run("Dataset500_Both")
    assert (run.number, run.sampling) == (500, "sqrt")
    assert [domain.dataset for domain in run.domains("test")] == ["Dataset011_Made", "Dataset012_Made"]
    printed = capsys.readouterr().out
    assert "Dataset012_Made  8x32x32" in printed


def test_widths_are_scaled(make_domain: Make) -> None:
    plans = json.loads((make_run(make_domain, feature_scale=1.5) / "nnUNetPlans.json").read_text())
    shared = plans["configurations"]["test"]["architecture"]["arch_kwargs"]
    assert shared["features_per_stage"] == [6, 12, 24, 48]


def test_domains_can_be_two_dimensional_but_not_both(make_domain: Make) -> None:
    make_domain(11, SHAPES["2d-3-stages"])
    make_domain(12, SHAPES["2d-3-stages"], channels=2)
    assert create_run(["11", "12"], 500, configurations=["test"]).is_dir()
    make_domain(13, SHALLOW)
    with pytest.raises(ValueError, match=r"Dataset013_Made.*cannot share weights: their plans differ in conv_op"):
        create_run(["11", "13"], 501, configurations=["test"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"number": 0}, "an id is 1 to 9999"),
        ({"name": "a b"}, "a name letters, digits"),
        ({"feature_scale": 0.0}, "--feature-scale 0.0"),
        ({"number": 11}, "the id 11 is taken by .*Dataset011_Made"),
        ({"configurations": ["2d"]}, "no configuration '2d'"),
        ({"datasets": ["11", "77"]}, "'77' was not found"),
        ({"datasets": ["11"]}, "two or more data sets"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(make_domain: Make, options: dict, message: str) -> None:
    for number in (11, 12):
        make_domain(number, SHALLOW)
    before = {path.name for path in (make_domain(13).parent).iterdir()}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        create_run(**({"datasets": ["11", "12"], "number": 500, "configurations": ["test"]} | options))
    assert {path.name for path in (Path(str(make_domain(14).parent))).iterdir()} - {"Dataset014_Made"} == before


def test_without_nnunets_folder_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("nnUNet_preprocessed", raising=False)
    with pytest.raises(FileNotFoundError, match="nnUNet_preprocessed is not set: export"):
        create_run(["11", "12"], 500)


def test_what_is_no_domain_is_refused_before_anything_is_published(make_domain: Make) -> None:
    run = make_run(make_domain)
    with pytest.raises(ValueError, match="is a universal run itself: name its domains, Dataset011_Made, Dataset012"):
        create_run(["500", "11"], 501, configurations=["test"])
    path = run.with_name("Dataset012_Made") / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"labels": {"background": 0}}))
    with pytest.raises(ValueError, match="Dataset012_Made has no label but background"):
        create_run(["11", "12"], 501, configurations=["test"])
    assert not list(run.parent.glob("*501*"))


def test_a_run_that_another_process_has_just_created_is_left_alone(make_domain: Make, tmp_path: Path) -> None:
    run = make_run(make_domain)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    (tmp_path / "new").mkdir()
    with pytest.raises(ValueError, match="Dataset500_Universal was created by another process"):
        publish(tmp_path / "new", run)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_two_at_once_are_one_sentence_and_what_a_killed_one_left_goes(make_domain: Make) -> None:
    for number in (11, 12):
        folder = make_domain(number, SHALLOW)
    staging = folder.with_name(STAGING)
    with (
        staging_folder(staging, "busy"),
        pytest.raises(ValueError, match=r"another `skipx universal create` is writing into .*wait"),
    ):
        create_run(["11", "12"], 500, configurations=["test"])
    (staging / "dataset").mkdir(parents=True)
    (staging / "dataset" / "nnUNetPlans.json").write_text("{")
    (staging / ".lock").touch()
    assert len(list(create_run(["11", "12"], 500, configurations=["test"]).iterdir())) == 3
    assert not staging.exists()


def test_nnunets_commands_say_why_there_are_no_images_of_a_run(make_domain: Make) -> None:
    """`nnUNetv2_find_best_configuration` comes to this line; it ends with its message."""
    plans = PlansManager(json.loads((make_run(make_domain) / "nnUNetPlans.json").read_text()))
    with pytest.raises(
        RuntimeError, match=r"Dataset500_Universal is a universal run.*run skipx universal extract -d 500"
    ):
        _ = plans.image_reader_writer_class


def test_an_id_is_taken_by_results_too(make_domain: Make) -> None:
    folder = make_domain(11)
    make_domain(12)
    (folder.parents[1] / "nnUNet_results" / "Dataset500_Other").mkdir()
    with pytest.raises(ValueError, match=r"the id 500 is taken by .*nnUNet_results/Dataset500_Other"):
        create_run(["11", "12"], 500, configurations=["test"])
