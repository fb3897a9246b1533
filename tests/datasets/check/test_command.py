"""`skipx data check` as a command: clean data, patients, and what cannot be checked."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nnunet_skipx.cli.main import main
from tests.datasets.check.data import (
    CASES,
    SPLITS,
    VOLUMES,
    Run,
    assert_found,
    change,
    cut,
    describe,
    fold,
    image_file,
    label_file,
    label_the_test_case,
    protocol_of,
    raw,
    run_check,
    splits_file,
    use_folders,
    with_value,
    write_volumes,
)


@pytest.fixture(autouse=True)
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_folders(tmp_path, monkeypatch)
    write_volumes()


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments, dataset="7": run_check(capsys, "-d", dataset, *arguments)


class TestCleanData:
    def test_a_clean_data_set_has_no_findings_and_status_0(self, check: Run) -> None:
        status, out, page = check()
        assert status == 0
        assert "6 training cases, 1 in imagesTs" in out
        assert out.endswith("\nNothing found.\nwrote page.html\nGo on with\n    nnUNetv2_plan_and_preprocess -d 7\n")
        assert "Problems</h2>" not in page and "Remarks</h2>" not in page

    def test_the_table_tells_sizes_spacings_intensities_and_volumes(self, check: Run) -> None:
        _, out, _ = check(dataset=VOLUMES)
        cells = [line.split("  ") for line in out.splitlines()]
        rows = {line[0]: [cell.strip() for cell in line[1:] if cell.strip()] for line in cells}
        assert rows["size (x, y, z), voxels"] == ["10 x 12 x 6"] * 3 + ["7 of 7"]
        assert rows["spacing, mm"] == ["0.5 x 0.5 x 2"] * 3 + ["7 of 7"]
        assert rows["label tumour, ml"] == ["0.002"] * 3 + ["6 of 6"]
        assert rows["channel 0 CT, lowest"][1] == "-1000"

    def test_a_labelled_test_set_is_told_and_not_learnt_from(self, check: Run) -> None:
        change(label_the_test_case(), lambda voxels: np.minimum(voxels, 1))
        status, out, _ = check()
        assert status == 0
        assert "6 training cases, 1 in imagesTs, 1 of them with a label" in out
        assert "Nothing found." in out and re.search(r"label tumour, ml .* 6 of 6$", out, re.M)

    def test_after_a_problem_the_next_command_is_the_check(self, check: Run) -> None:
        cut(image_file())
        assert check()[1].endswith("\nGo on with\n    skipx data check -d 7\n")

    def test_the_protocols_own_folds_are_right(self, check: Run) -> None:
        describe(skipx_protocol=protocol_of(SPLITS))
        status, out, _ = check()
        assert status == 0
        assert "6 training cases, 1 in imagesTs, protocol Test 3-fold" in out

    def test_a_protocol_that_parts_a_patient_is_only_a_remark(self, check: Run) -> None:
        leaking = [{"train": [*SPLITS[0]["train"], "p0_scan1"], "val": [CASES[0]]}]
        splits_file().write_text(json.dumps(leaking))
        assert check("--patient", r"p\d")[0] == 1
        describe(skipx_protocol=protocol_of(leaking))
        status, out, _ = check("--patient", r"p\d")
        assert status == 0
        assert "all of patient p0: Test" in out

    def test_one_split_into_training_and_test_leaves_nothing_unvalidated(self, check: Run) -> None:
        splits_file().write_text(json.dumps(SPLITS[:1]))
        assert "Nothing found." in check()[1]

    def test_what_lies_beside_images_is_counted(self, check: Run) -> None:
        for name in ("imagesTr/.DS_Store", "imagesTr/Thumbs.db", "imagesTr/p0_scan0_0000.json", "labelsTr/._x.nii.gz"):
            (raw() / name).touch()
        status, out, page = check()
        note = "4 files beside images and labels passed over (.DS_Store, Thumbs.db, *.json, ._*)."
        assert status == 0 and f"\n{note}\n" in out and note in page
        assert "remark" not in out.replace("remarks", "")

    def test_the_page_lies_beside_by_default(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["data", "check", "-d", "7", "-np", "1"]) == 0
        assert Path(f"skipx_data_{VOLUMES}.html").is_file()
        assert f"wrote skipx_data_{VOLUMES}.html" in capsys.readouterr().out

    def test_several_processes_find_the_same(self, check: Run) -> None:
        cut(image_file())
        assert check("-np", "2") == check()


class TestUnusualData:
    def test_many_findings_of_a_kind_are_cut_short_on_the_terminal_and_complete_on_the_page(self, check: Run) -> None:
        for case in CASES:
            change(label_file(case), with_value(9, np.uint8))
        _, out, page = check()
        assert out.count("problem: ") == 5
        assert "... and 1 more of 6 problems about labels: see the page" in out
        assert "6 problems." in out
        assert page.count("holds the value 9") == 6

    def test_a_case_without_any_readable_file_has_a_place_on_the_page(self, check: Run) -> None:
        for path in (image_file(), image_file(channel=1), label_file()):
            cut(path, 0)
        status, _, page = check()
        assert status == 1
        assert page.count("<figure") == 7 and ">unreadable<" in page

    def test_regions_and_the_ignore_label_are_understood(self, check: Run) -> None:
        labels = {"background": 0, "organ": [1, 2], "tumour": 2, "ignore": 3}
        describe(labels=labels, regions_class_order=[1, 2])
        change(label_file(), lambda voxels: np.where(voxels > 0, 3, 0).astype(np.uint8))
        status, out, page = check()
        assert status == 0
        assert_found(out, "remark: .*nothing but background and the ignore label")
        assert_found(out, r"label organ, ml +0.05 +0.05 +0.05 +5 of 6")
        assert_found(out, r"label ignore, ml +0.05 +0.05 +0.05 +1 of 6")
        assert "</span>ignore" in page

    def test_files_listed_in_dataset_json_may_lie_anywhere(self, check: Run) -> None:
        listed = {
            case: {"images": [str(image_file(case, c)) for c in range(2)], "label": str(label_file(case))}
            for case in CASES
        }
        describe(dataset=listed)
        assert check()[0] == 0
        image_file(channel=1).unlink()
        status, out, _ = check()
        assert status == 1
        assert_found(out, "problem: case p0_scan0: imagesTr/p0_scan0_0001.nii.gz is missing: restore")


class TestPatients:
    @pytest.fixture(autouse=True)
    def no_provenance(self) -> None:
        (raw() / "provenance.json").unlink()

    def test_without_patients_it_says_that_they_were_not_checked(self, check: Run) -> None:
        status, out, page = check()
        assert status == 0
        assert "share a patient was not checked" in out and "share a patient was not checked" in page

    @pytest.mark.parametrize("pattern", [r"p\d", r"^p(\d)_scan"])
    def test_a_pattern_tells_the_patient(self, check: Run, pattern: str) -> None:
        fold(train=CASES[1:], val=CASES[:1])
        status, out, _ = check("--patient", pattern)
        assert status == 1
        assert_found(out, "trains on case p0_scan1 and validates on case p0_scan0, all of patient p?0: keep")

    def test_a_pattern_that_some_names_lack_says_so(self, check: Run) -> None:
        assert "The patient of 6 cases is not known, such as p0_scan1." in check("--patient", "p0_scan0")[1]

    @pytest.mark.parametrize(("pattern", "why"), [("(", "is no regular expression"), ("x", "is found in none of the")])
    def test_a_useless_pattern_is_refused(self, check: Run, pattern: str, why: str) -> None:
        status, error, _ = check("--patient", pattern)
        assert (status, why in error) == (2, True)


class TestNothingToCheck:
    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda: shutil.rmtree(raw()), "holds no data set 7 (there: none)"),
            (lambda: (raw().parent / "Dataset007_Other").mkdir(), "holds several data sets 7"),
            (lambda: (raw() / "dataset.json").unlink(), "dataset.json is missing"),
            (lambda: cut(raw() / "dataset.json"), "dataset.json is not valid JSON"),
            (
                lambda: describe(labels={"0": "background", "1": "liver"}),
                'name and number the other way round, {"background": 0, "liver": 1}: correct it',
            ),
            (lambda: describe(labels={"background": 0, "a": [1, 2], "b": 1}), 'has "labels" that nnU-Net refuses'),
            (lambda: describe(channel_names=["CT"]), 'channel_names is ["CT"], expected an object'),
            (lambda: describe(file_ending=".mha"), "holds no image CASE_0000.mha"),
        ],
    )
    def test_it_is_one_sentence_and_status_2(self, check: Run, spoil: Callable[[], object], message: str) -> None:
        spoil()
        status, error, _ = check()
        assert status == 2
        assert message in error and error.count("\n") == 1

    def test_folds_need_nnunet_preprocessed(self, check: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("nnUNet_preprocessed")
        status, out, _ = check()
        assert status == 0
        assert "Folds were not checked: the variable nnUNet_preprocessed is not set." in out
