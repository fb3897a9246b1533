"""Metrics from the label maps: of every case of the table, once, and no case is blamed for another's fault."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.results import label_maps, predicted_cases
from nnunet_skipx.results.case_metrics import case_metrics
from nnunet_skipx.results.label_maps import label_map_metrics, measure
from nnunet_skipx.results.lesions import LESIONS, LesionRule
from nnunet_skipx.results.predicted_cases import Job, find_jobs
from nnunet_skipx.results.study import Study as CheckedStudy
from nnunet_skipx.results.study import read_study
from nnunet_skipx.results.wanted import HD95, HD95_WITH_MISSES, Wanted
from tests.made_up_study import DATASET, DATASET_JSON, FOLDS, TRAINERS, Study, label_map, write_volume

BOUNDARY = Wanted(nsd_mm=1.0)
OVERLAP = {"IoU", "volume error", "absolute volume error"}


@pytest.fixture(scope="module")
def checked(study: Study) -> CheckedStudy:
    return read_study(list(study.model_folders.values()), FOLDS, allow_missing=False)


@pytest.fixture(scope="module")
def table(study: Study, checked: CheckedStudy, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    cache = tmp_path_factory.mktemp("cache") / "maps.json"
    found, problems = label_map_metrics(checked.models, checked.table, study.labels, DATASET_JSON, BOUNDARY, cache)
    assert problems == []
    return found


def test_every_case_class_and_metric_is_there_once(checked: CheckedStudy, table: pd.DataFrame) -> None:
    assert set(table["metric"]) == OVERLAP | {"NSD (1 mm)", HD95, HD95_WITH_MISSES}
    assert len(table) == 6 * len(checked.table)
    assert not table.duplicated(["row", "case", "label", "metric"]).any()


def test_the_numbers_are_those_of_the_maps(checked: CheckedStudy, table: pd.DataFrame) -> None:
    keys = ["row", "case", "label"]
    iou = table[table["metric"] == "IoU"].set_index(keys)["value"].sort_index()
    expected = checked.table.set_index(keys)["value"].sort_index()
    np.testing.assert_allclose(iou, expected / (2 - expected), rtol=1e-12)
    two_off = case_metrics(label_map(0, 0), label_map(0, 2), (1, 1, 1), {1: "Anterior"}, None, BOUNDARY)
    worst = table[(table["row"] == TRAINERS[1]) & (table["metric"] == HD95)]["value"].max()
    assert worst == pytest.approx(two_off["Anterior", HD95])


def test_lesions_and_slices_are_measured_when_wanted(study: Study, checked: CheckedStudy, tmp_path: Path) -> None:
    wanted = Wanted(lesions=LesionRule(0.1, 3), slice_dice=True)
    found, _ = label_map_metrics(checked.models, checked.table, study.labels, DATASET_JSON, wanted, tmp_path / "c.json")
    lesions = {f"{name} (IoU > 0.1, 3 mm3 or more)" for name in LESIONS}
    assert set(found["metric"]) == OVERLAP | lesions | {"Dice"}
    dice = found[found["metric"] == "Dice"]
    assert len(dice) == len(checked.table)
    # Half of the slices of the made-up volumes are empty and count 1, the others have the Dice of the volume.
    volume = checked.table.set_index(["row", "case", "label"])["value"].fillna(1.0)
    sliced = dice.set_index(["row", "case", "label"])["value"]
    np.testing.assert_allclose(sliced, (1 + volume.loc[sliced.index]) / 2)


@pytest.mark.slow
def test_processes_make_no_difference(
    study: Study, checked: CheckedStudy, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicted_cases, "LITTLE", 0)
    cache = tmp_path / "c.json"
    found, _ = label_map_metrics(checked.models, checked.table, study.labels, DATASET_JSON, BOUNDARY, cache)
    pd.testing.assert_frame_equal(found, table)


def again(job: Job, **_: object) -> None:
    raise AssertionError(f"{job} was measured before")


@pytest.mark.slow
def test_what_was_measured_is_not_measured_again(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    folders, options = [list(study.model_folders.values())], ReportOptions(nsd_mm=[1.0], references=study.labels)
    report(folders, FOLDS, out, options)
    assert "Other metrics" in (out / "report.html").read_text()
    before = (out / "cases.csv").read_text()
    monkeypatch.setattr(label_maps, "measure", again)
    report(folders, FOLDS, out, options)
    assert (out / "cases.csv").read_text() == before
    known = json.loads((out / "label_maps.json").read_text())
    assert 0 < len(known) <= 24, "equal pairs of files share an entry"


def test_another_tolerance_is_measured_anew(study: Study, checked: CheckedStudy, tmp_path: Path) -> None:
    nsd = []
    for wanted in (Wanted(nsd_mm=0.5), Wanted(nsd_mm=2.0)):
        found, _ = label_map_metrics(
            checked.models, checked.table, study.labels, DATASET_JSON, wanted, tmp_path / "c.json"
        )
        (name,) = {metric for metric in found["metric"] if metric.startswith("NSD")}
        assert name == f"NSD ({wanted.nsd_mm:g} mm)"
        nsd.append(found.loc[found["metric"] == name, "value"].mean())
    assert nsd[0] < nsd[1]


def test_another_version_of_a_tool_measures_anew(
    study: Study, checked: CheckedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = checked.models, checked.table, study.labels, DATASET_JSON, Wanted(), tmp_path / "c.json"
    label_map_metrics(*measured)
    monkeypatch.setattr(label_maps, "tool_versions", lambda: {"MONAI": "another"})
    monkeypatch.setattr(label_maps, "measure", again)
    with pytest.raises(AssertionError, match="was measured before"):
        label_map_metrics(*measured)


def test_what_was_measured_before_an_interruption_is_kept(
    study: Study, checked: CheckedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(jobs: list[Job], *_: object) -> object:
        yield jobs[0], {"Anterior/IoU": 0.5}
        raise KeyboardInterrupt

    monkeypatch.setattr(label_maps, "side_by_side", interrupted)
    with pytest.raises(KeyboardInterrupt):
        label_map_metrics(checked.models, checked.table, study.labels, DATASET_JSON, BOUNDARY, tmp_path / "c.json")
    assert list(json.loads((tmp_path / "c.json").read_text()).values()) == [{"Anterior/IoU": 0.5}]


def test_broken_maps_are_named_and_cost_only_their_own_cases(study: Study, tmp_path: Path) -> None:
    shutil.copytree(study.results, tmp_path, dirs_exist_ok=True)
    folders = [tmp_path / DATASET / folder.name for folder in study.model_folders.values()]
    first, second, third = sorted((folders[1] / "fold_0" / "validation").glob("*.nii.gz"))[:3]
    first.write_bytes(first.read_bytes()[:40])
    write_volume(second, label_map(0, 0)[1:])
    third.unlink()
    again = read_study(folders, FOLDS, allow_missing=False)
    found, problems = label_map_metrics(
        again.models, again.table, study.labels, DATASET_JSON, BOUNDARY, tmp_path / "c.json"
    )
    assert len(found) == 6 * len(again.table)
    lost = found[found["row"] == TRAINERS[1]].groupby("case")["value"].apply(lambda values: values.isna().all())
    assert sorted(lost.index[lost]) == sorted(path.name.removesuffix(".nii.gz") for path in (first, second, third))
    missing, unreadable, mismatched = problems
    assert missing == f"Label map {third} is missing."
    assert f"Label map {first} cannot be read" in unreadable
    assert f"Label map {second} cannot be compared: The reference has shape" in mismatched


def test_a_report_is_made_in_spite_of_a_broken_map_and_says_so(study: Study, tmp_path: Path) -> None:
    shutil.copytree(study.results, tmp_path, dirs_exist_ok=True)
    folders = [tmp_path / DATASET / folder.name for folder in study.model_folders.values()]
    broken = next((folders[1] / "fold_0" / "validation").glob("*.nii.gz"))
    broken.write_bytes(b"no label map")
    text = report([folders], FOLDS, tmp_path / "out", ReportOptions(nsd_mm=[1.0], references=study.labels))
    assert f"Label map {broken} cannot be read" in text
    (content,) = json.loads((tmp_path / "out" / "report.json").read_text())["comparisons"]
    nsd = [line for line in content["other_metrics"] if line["metric"] == "NSD (1 mm)"]
    assert [line["mean"]["n"] for line in nsd] == [12, 11]
    assert [line["mean"]["dropped"] for line in nsd] == [0, 1]
    assert nsd[1]["contrast"]["difference"]["interval"]["n"] == 11


def test_no_map_at_all_and_a_wrong_tolerance_are_refused(study: Study, checked: CheckedStudy, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no label map could be compared.*nowhere.*is missing"):
        label_map_metrics(
            checked.models, checked.table, tmp_path / "nowhere", DATASET_JSON, BOUNDARY, tmp_path / "c.json"
        )
    with pytest.raises(ValueError, match=r"--nsd-mm -1 is no distance"):
        Wanted(nsd_mm=-1)


def test_measure_returns_numbers_or_a_sentence(study: Study, tmp_path: Path) -> None:
    good = study.labels / "case_00.nii.gz"
    values = measure(Job((), good, good), DATASET_JSON, BOUNDARY)
    assert isinstance(values, dict) and values["Anterior/NSD (1 mm)"] == 1.0
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"")
    assert str(measure(Job((), good, broken), DATASET_JSON, BOUNDARY)).startswith(f"Label map {broken} cannot be read")


def test_the_same_reference_is_read_once_for_all_rows_and_again_where_it_was_rewritten(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    stock = SimpleITKIO.read_seg
    monkeypatch.setattr(SimpleITKIO, "read_seg", lambda self, name: read.append(name) or stock(self, name))
    reference, prediction = tmp_path / "case_00.nii.gz", study.labels / "case_00.nii.gz"
    write_volume(reference, label_map(0, 0))
    first, again = (measure(Job((), reference, prediction), DATASET_JSON, Wanted()) for _ in range(2))
    assert first == again and read.count(str(reference)) == 1
    write_volume(reference, label_map(0, 2))
    os.utime(reference, (1, 1))
    assert measure(Job((), reference, prediction), DATASET_JSON, Wanted()) != first
    assert read.count(str(reference)) == 2


def test_jobs_of_a_case_follow_each_other(study: Study, checked: CheckedStudy) -> None:
    jobs = find_jobs(checked.models, checked.table, study.labels, ".nii.gz", probabilities=False)
    references = [job.reference for job in jobs]
    assert references == sorted(references) and len(set(references)) < len(references)
