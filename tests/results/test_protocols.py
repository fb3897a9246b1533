import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nnunet_skipx.datasets.protocol import KEY, Protocol, fold_digest, protocol_in
from nnunet_skipx.report.command import ReportOptions, report
from tests.made_up_study import DATASET, DATASET_JSON, FOLDS, TRAINERS, Study


@pytest.fixture
def folders(study: Study, tmp_path: Path) -> list[Path]:
    """A copy of the made-up study, to be changed."""
    shutil.copytree(study.results, tmp_path / "results")
    return [tmp_path / "results" / DATASET / study.model_folder(trainer).name for trainer in TRAINERS]


@pytest.fixture
def protocol(study: Study) -> Protocol:
    digests = tuple(fold_digest(fold["val"]) for fold in study.splits)
    return Protocol("Atlas-2 3-fold", "Atlas", digests[: len(FOLDS)], ("the spacing is lost",))


def name_protocol(folder: Path, protocol: Protocol | None) -> None:
    content = DATASET_JSON | ({KEY: protocol.as_json()} if protocol else {})
    (folder / "dataset.json").write_text(json.dumps(content))


def test_a_protocol_survives_dataset_json(protocol: Protocol) -> None:
    assert protocol_in(json.loads(json.dumps({KEY: protocol.as_json()}))) == protocol
    assert protocol_in(DATASET_JSON) is None


def test_a_folds_digest_depends_on_its_cases_alone() -> None:
    assert fold_digest(["b", "a"]) == fold_digest(("a", "b"))
    assert fold_digest(["a", "b"]) != fold_digest(["ab"])
    assert fold_digest(["a", "b"]) != fold_digest(["a"])


def test_the_report_names_the_protocol_takes_its_folds_and_carries_its_notes(
    folders: list[Path], protocol: Protocol, tmp_path: Path
) -> None:
    for folder in folders:
        name_protocol(folder, protocol)
    text = report([folders], None, tmp_path / "out", ReportOptions())
    assert f"{DATASET}, Atlas-2 3-fold: 12 cases, validated once each in 3 folds (0, 1, 2)" in text
    assert "the spacing is lost" in text
    html = (tmp_path / "out" / "report.html").read_text()
    assert "Atlas-2 3-fold" in html
    assert "the spacing is lost" in html


def test_data_without_a_protocol_are_reported_on_nnunets_five_folds(folders: list[Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not validated yet: nnUNetTrainer fold 3"):
        report([folders], None, tmp_path / "out", ReportOptions())


@pytest.mark.parametrize("change", [{"name": "Atlas-3 3-fold"}, {"folds": ("0" * 16,) * 3}, {"notes": ()}])
def test_two_protocols_in_one_table_are_refused(
    folders: list[Path], protocol: Protocol, tmp_path: Path, change: dict
) -> None:
    name_protocol(folders[0], protocol)
    name_protocol(folders[1], replace(protocol, **change))
    with pytest.raises(ValueError, match=r"was trained for the protocol Atlas-2 3-fold .*do not belong in one table"):
        report([folders], FOLDS, tmp_path / "out", ReportOptions())
    assert not (tmp_path / "out").exists()


def test_a_replicate_under_another_protocol_is_refused(folders: list[Path], protocol: Protocol, tmp_path: Path) -> None:
    for folder in folders:
        name_protocol(folder, protocol)
    second = folders[0].parents[1] / "replicate_2" / DATASET / folders[0].name
    third = folders[0].parents[1] / "replicate_3" / DATASET / folders[0].name
    for copy, its in ((second, replace(protocol, name="Atlas-3 3-fold")), (third, protocol)):
        shutil.copytree(folders[0], copy)
        name_protocol(copy, its)
    with pytest.raises(ValueError, match=r"nnUNetTrainer for Atlas-3 3-fold .*do not belong in one table"):
        report([folders], FOLDS, tmp_path / "out", ReportOptions())


def test_a_protocol_without_folds_allows_any(folders: list[Path], protocol: Protocol, tmp_path: Path) -> None:
    for folder in folders:
        name_protocol(folder, replace(protocol, folds=()))
    assert "Atlas-2 3-fold" in report([folders], FOLDS, tmp_path / "out", ReportOptions())


def test_a_row_that_names_none_is_told(folders: list[Path], protocol: Protocol, tmp_path: Path) -> None:
    name_protocol(folders[0], protocol)
    name_protocol(folders[1], None)
    text = report([folders], FOLDS, tmp_path / "out", ReportOptions())
    assert f"{TRAINERS[1]} names no protocol; its validation cases are those of Atlas-2 3-fold" in text


def test_folds_that_nnunet_drew_itself_are_refused_with_the_cure(
    folders: list[Path], protocol: Protocol, tmp_path: Path
) -> None:
    for folder in folders:
        name_protocol(folder, replace(protocol, folds=(protocol.folds[0], fold_digest(["other"]), protocol.folds[2])))
    with pytest.raises(ValueError, match=r"fold 1 of nnUNetTrainer was validated on 4 cases .*splits_final\.json was"):
        report([folders], FOLDS, tmp_path / "out", ReportOptions())


def test_a_fold_beyond_the_protocol_is_refused(folders: list[Path], protocol: Protocol, tmp_path: Path) -> None:
    for folder in folders:
        name_protocol(folder, replace(protocol, folds=protocol.folds[:1]))
    with pytest.raises(ValueError, match=r"the protocol has only 1 fold, .*leave fold 1 out with -f"):
        report([folders], FOLDS, tmp_path / "out", ReportOptions())
    assert "1 fold (0)" in report([folders], None, tmp_path / "out", ReportOptions())


@pytest.mark.slow
def test_two_data_sets_on_the_same_cases_under_two_protocols_are_refused(
    folders: list[Path], protocol: Protocol, tmp_path: Path
) -> None:
    other_dataset = folders[0].parents[1] / "Dataset005_Same"
    shutil.copytree(folders[0].parent, other_dataset)
    others = [other_dataset / folder.name for folder in folders]
    for folder in folders:
        name_protocol(folder, protocol)
    for folder in others:
        name_protocol(folder, replace(protocol, name="Atlas-8 18/12"))
    message = "Dataset004_Hippocampus follows Atlas-2 3-fold and Dataset005_Same follows Atlas-8 18/12"
    with pytest.raises(ValueError, match=re.escape(message)):
        report([folders, others], FOLDS, tmp_path / "out", ReportOptions())
    for folder in others:
        name_protocol(folder, replace(protocol, name="Brain 3-fold", data="Brain"))
    assert "Across data sets" in report([folders, others], FOLDS, tmp_path / "out", ReportOptions())
