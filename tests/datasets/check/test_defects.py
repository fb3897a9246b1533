"""`skipx data check` on tiny volumes: each defect that is planted is told."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.check.data import (
    AFFINE,
    CASES,
    SHAPE,
    SPLITS,
    TEST_CASE,
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
    save,
    splits_file,
    use_folders,
    with_value,
    write_volumes,
)

FIRST = CASES[0]
SHIFTED, NUDGED = (np.array(AFFINE) for _ in range(2))
SHIFTED[:3, 3], NUDGED[:3, 3] = 7, 0.05
FLIPPED = np.diag([-0.5, -0.5, 2, 1])


@pytest.fixture(autouse=True)
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_folders(tmp_path, monkeypatch)
    write_volumes()


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments, dataset="7": run_check(capsys, "-d", dataset, *arguments)


def no_scan_has_fat() -> None:
    for case in CASES:
        change(image_file(case), np.abs)
    change(image_file(TEST_CASE, part="Ts"), np.abs)


def reorient() -> None:
    for channel in range(2):
        change(image_file(channel=channel), lambda voxels: voxels, FLIPPED)
    change(label_file(), lambda voxels: voxels, FLIPPED)


def crop() -> None:
    for path in (image_file(), image_file(channel=1), label_file()):
        change(path, lambda voxels: np.tile(voxels, (1, 1, 4)))


def labels_without_tumour(cases: list[str]) -> None:
    for case in cases:
        change(label_file(case), lambda voxels: np.minimum(voxels, 1))


def copy_image(source: str, target: str, part: str = "Tr") -> None:
    for channel in range(2):
        shutil.copy(image_file(source, channel), image_file(target, channel, part))


def label_another_test_case() -> None:
    rng = np.random.default_rng(8)
    for channel in range(2):
        save(image_file("p8_scan0", channel, "Ts"), rng.integers(-1000, 1500, SHAPE).astype(np.int16))
    label_the_test_case().rename(label_file("p8_scan0", "Ts"))


PROBLEMS: dict[str, tuple[Callable[[], object], str]] = {
    "a label of another size": (
        lambda: change(label_file(), lambda voxels: voxels[1:]),
        r"case p0_scan0: labelsTr/p0_scan0.nii.gz has 9 x 12 x 6 voxels, expected 10 x 12 x 6 as in imagesTr/p0_.*rest",
    ),
    "a label with another spacing": (
        lambda: change(label_file(), lambda voxels: voxels, np.diag([0.5, 0.6, 2, 1])),
        r"case p0_scan0: labelsTr/.* has the spacing \(0.5, 0.6, 2\), expected \(0.5, 0.5, 2\) .*correct the header",
    ),
    "a label with another origin": (
        lambda: change(label_file(), lambda voxels: voxels, SHIFTED),
        r"labelsTr/.* lies 12.1 mm \(24.2 voxels\) off: origin \(7, 7, 7\) mm .*, expected \(0, 0, 0\) mm .*correct",
    ),
    "a label with another direction": (
        lambda: change(label_file(), lambda voxels: voxels, FLIPPED),
        r"labelsTr/.* axes LPS, expected \(0, 0, 0\) mm and RAS as in imagesTr/p0_scan0_0000.nii.gz.*correct",
    ),
    "a channel of another size": (
        lambda: change(image_file(channel=1), lambda voxels: voxels[:, 2:]),
        r"case p0_scan0: imagesTr/p0_scan0_0001.nii.gz has 10 x 10 x 6 voxels, expected 10 x 12 x 6 as in .*_0000",
    ),
    "a channel with another origin": (
        lambda: change(image_file(channel=1), lambda voxels: voxels, SHIFTED),
        r"case p0_scan0: imagesTr/p0_scan0_0001.nii.gz lies 12.1 mm",
    ),
    "a label that dataset.json does not know": (
        lambda: change(label_file(), with_value(9, np.uint8)),
        r"case p0_scan0: labelsTr/p0_scan0.nii.gz holds the value 9 \(1 voxels\), expected only \[0, 1, 2\] .*correct",
    ),
    "a label that is no whole number": (
        lambda: change(label_file(), with_value(0.5)),
        r"holds the value 0.5 \(1 voxels\), expected only \[0, 1, 2\]",
    ),
    "a negative label": (lambda: change(label_file(), with_value(-1)), r"holds the value -1 \(1 voxels\), expected"),
    "a label that is NaN": (
        lambda: change(label_file(), with_value(np.nan)),
        r"labelsTr/.* has 1 voxels that are NaN .*expected ids: rest",
    ),
    "a label that no case holds": (
        lambda: labels_without_tumour(CASES),
        r"label tumour of dataset.json is in none of the 6 label files .*: corr",
    ),
    "label ids with a gap": (
        lambda: describe(labels={"background": 0, "liver": 1, "tumour": 3}),
        r"dataset.json has the label ids \[0, 1, 3\], expected 0, 1, 2, ... without gaps.*: renumber",
    ),
    "an image that is the same everywhere": (
        lambda: change(image_file(), lambda voxels: voxels * 0 + 7),
        r"case p0_scan0: imagesTr/p0_scan0_0000.nii.gz holds 7 everywhere in channel 0 \(CT\), expected an image: rest",
    ),
    "an image with NaN": (
        lambda: change(image_file(), with_value(np.nan)),
        r"case p0_scan0: imagesTr/p0_scan0_0000.nii.gz has 1 voxels that are NaN or infinite, .*restore",
    ),
    "a test image with infinity": (
        lambda: change(image_file(TEST_CASE, part="Ts"), with_value(np.inf)),
        r"imagesTs/p9_scan0_0000.nii.gz has 1 v",
    ),
    "an image of NaN only": (
        lambda: change(image_file(), lambda voxels: np.full(SHAPE, np.nan, np.float32)),
        r"has 720 voxels that are NaN",
    ),
    "the same image in train and val": (
        lambda: copy_image("p0_scan0", "p1_scan0"),
        r"cases p0_scan0, p1_scan0 have the same image, voxel by voxel \(imagesTr/p0_scan0_0000.nii.gz = imagesTr/.*\)"
        r", expected different ones; fold 0, 1 trains on one and validates on another: keep one",
    ),
    "a channel that is another's": (
        lambda: shutil.copy(image_file(), image_file(channel=1)),
        r"case p0_scan0 has the same image.*imagesTr/p0_scan0_0000.nii.gz = imagesTr/p0_scan0_0001.nii.gz\).*: restore",
    ),
    "one channel of another case": (
        lambda: shutil.copy(image_file(), image_file("p1_scan0")),
        r"cases p0_scan0, p1_scan0 have .*\(imagesTr/p0_scan0_0000.nii.gz = imagesTr/p1_scan0_0000.nii.gz\), expected",
    ),
    "files of macOS that nnU-Net would read": (
        lambda: [(raw() / "imagesTr" / f"._{case}_0000.nii.gz").touch() for case in CASES],
        r"imagesTr/\._p0_scan0_0000.nii.gz and 5 more, left by macOS, would be taken for cases.* find .* -delete",
    ),
    "the same image in training and test": (
        lambda: copy_image("p0_scan0", TEST_CASE, "Ts"),
        r"cases p0_scan0, p9_scan0 have the same image.*imagesTs/p9_scan0_0000.nii.gz.*no test: keep one",
    ),
    "an image without label": (
        lambda: label_file().unlink(),
        r"case p0_scan0: labelsTr/p0_scan0.nii.gz is missing: restore it, or move",
    ),
    "a test label of another size": (
        lambda: change(label_the_test_case(), lambda voxels: voxels[1:]),
        r"case p9_scan0: labelsTs/p9_scan0.nii.gz has 9 x 12 x 6 voxels, expected 10 x 12 x 6 as in imagesTs/p9_",
    ),
    "a test label with another direction": (
        lambda: change(label_the_test_case(), lambda voxels: voxels, FLIPPED),
        r"case p9_scan0: labelsTs/.* axes LPS, expected \(0, 0, 0\) mm and RAS as in imagesTs/p9_scan0_0000.nii.gz",
    ),
    "a test label that dataset.json does not know": (
        lambda: change(label_the_test_case(), with_value(9, np.uint8)),
        r"case p9_scan0: labelsTs/p9_scan0.nii.gz holds the value 9 \(1 voxels\), expected only \[0, 1, 2\]",
    ),
    "a cut test label": (lambda: cut(label_the_test_case()), r"labelsTs/p9_scan0.nii.gz is not a complete NIfTI file"),
    "a test label without image": (
        lambda: shutil.copy(label_the_test_case(), label_file("lost", "Ts")),
        r"case lost: labelsTs/lost.nii.gz has no image, expected imagesTs/lost_0000.nii.gz: restore",
    ),
    "a test channel of another size": (
        lambda: change(image_file(TEST_CASE, 1, "Ts"), lambda voxels: voxels[:, 2:]),
        r"case p9_scan0: imagesTs/p9_scan0_0001.nii.gz has 10 x 10 x 6 voxels, expected 10 x 12 x 6",
    ),
    "a label without image": (
        lambda: shutil.copy(label_file(), label_file("lost")),
        r"case lost: labelsTr/lost.nii.gz has no image, expected imagesTr/lost_0000.nii.gz: restore",
    ),
    "a missing channel": (
        lambda: image_file(channel=0).unlink(),
        r"case p0_scan0: imagesTr/p0_scan0_0000.nii.gz is missing, expected 2 as in dataset.json \(0 CT, 1 MRI\): rest",
    ),
    "a channel too many": (
        lambda: shutil.copy(image_file(), image_file(channel=2)),
        r"case p0_scan0: imagesTr/p0_scan0_0002.nii.gz is a channel too many, expected 2 .*: remove",
    ),
    "an image without channel number": (
        lambda: shutil.copy(image_file(), raw() / "imagesTr" / "other.nii.gz"),
        r"imagesTr/other.nii.gz has no channel number.*call it other_0000.nii.gz, or remove",
    ),
    "a wrong number of cases": (
        lambda: describe(numTraining=9),
        r'dataset.json says "numTraining": 9, but there are 6 training cases: restore',
    ),
    "a cut image": (
        lambda: cut(image_file()),
        r"case p0_scan0: imagesTr/p0_scan0_0000.nii.gz is not a complete NIfTI .*restore",
    ),
    "a cut label": (lambda: cut(label_file()), r"case p0_scan0: labelsTr/p0_scan0.nii.gz is not a complete NIfTI file"),
    "an empty test image": (
        lambda: cut(image_file(TEST_CASE, part="Ts"), 0),
        r"imagesTs/p9_scan0_0000.nii.gz is not a complete NIfTI file",
    ),
    "a web page as image": (
        lambda: image_file().write_text("<html>not found</html>"),
        r"imagesTr/p0_scan0_0000.nii.gz is not a complete",
    ),
    "a patient in train and val": (
        lambda: fold(train=SPLITS[0]["train"][1:] + CASES[1:2], val=CASES[:1] + CASES[2:3]),
        r"fold 0 of splits_final.json trains on case p0_scan1 and validates on case p0_scan0, all of patient p0: keep",
    ),
    "a case that only splits_final.json knows": (
        lambda: fold(train=[*SPLITS[0]["train"], "ghost"]),
        r"fold 0 of splits_final.json names case ghost, which is not among the 6 training cases: restore",
    ),
    "a case in train and val": (
        lambda: fold(train=[*SPLITS[0]["train"], FIRST]),
        r"case p0_scan0 is in train and in val of fold 0 .*: correct",
    ),
    "a case that is validated twice": (
        lambda: fold(val=[*SPLITS[0]["val"], "p1_scan0"]),
        r"case p1_scan0 is validated 2 times .*expected once.*corr",
    ),
    "a broken splits_final.json": (
        lambda: splits_file().write_text("[{"),
        r"splits_final.json is not valid JSON .*: restore",
    ),
    "a splits_final.json of something else": (
        lambda: splits_file().write_text('[{"train": 5}]'),
        r"splits_final.json: \[0\]\.train is 5, expected a list: restore",
    ),
    "a broken provenance.json": (
        lambda: (raw() / "provenance.json").write_text("[]"),
        r"provenance.json: the file is \[\], expected an object",
    ),
    "folds other than the protocol's": (
        lambda: describe(skipx_protocol=protocol_of([SPLITS[0], *SPLITS[:0:-1]])),
        r"splits_final.json validates fold 1, 2 on other cases, expected the 3 folds of the protocol Test 3-f.*: conv",
    ),
    "fewer folds than the protocol's": (
        lambda: describe(skipx_protocol=protocol_of([*SPLITS, SPLITS[0]])),
        r"splits_final.json has 3 folds, expected the 4",
    ),
}
REMARKS: dict[str, tuple[Callable[[], object], str]] = {
    "a label a little off": (
        lambda: change(label_file(), lambda voxels: voxels, NUDGED),
        r"labelsTr/.* lies 0.0866 mm \(0.173 voxels\) off",
    ),
    "a case four times as high as others": (
        crop,
        r"case p0_scan0: imagesTr/.* has the size 10 x 12 x 24 voxels, the median is 10 x 12 x 6: look",
    ),
    "a case with other axes": (
        reorient,
        r"case p0_scan0: imagesTr/p0_scan0_0000.nii.gz has the axes LPS, most cases have RAS: .*turn image",
    ),
    "a case without foreground": (
        lambda: change(label_file(), lambda voxels: voxels * 0),
        r"case p0_scan0: labelsTr/p0_scan0.nii.gz holds nothing but background: keep the case only if",
    ),
    "a label that few cases hold": (
        lambda: labels_without_tumour(CASES[1:]),
        r"label tumour is in 1 of 6 cases only \(p0_scan0\): not all of 5",
    ),
    "a case on another scale": (
        lambda: change(image_file(channel=1), lambda voxels: voxels.astype(np.float32) * 100),
        r"case p0_scan0: imagesTr/p0_scan0_0001.nii.gz has values .* in channel 1 \(MRI\), 1\d\d times the median size",
    ),
    "a CT that is shifted": (
        lambda: change(image_file(), np.abs),
        r"case p0_scan0: imagesTr/.* has values from .* expected Hounsfield",
    ),
    "CT that is shifted in all cases": (no_scan_has_fat, r"channel 0 \(CT\) has values .*in all 7 cases, expected H"),
    "the same image twice in one fold's val": (
        lambda: copy_image("p0_scan0", "p0_scan1"),
        r"cases p0_scan0, p0_scan1 have the same image.*different ones: k",
    ),
    "a test image without label beside one that has one": (
        label_another_test_case,
        r"case p9_scan0: labelsTs/p9_scan0.nii.gz is missing, and tests leave out the case: restore",
    ),
    "a file of another kind": (
        lambda: (raw() / "imagesTr" / "notes.txt").touch(),
        r"imagesTr/notes.txt is not read by nnU-Net, .*: remove it",
    ),
    "a case that is never validated": (
        lambda: fold(val=["p0_scan0"]),
        r"case p0_scan1 is validated in no fold of splits_final.json: add",
    ),
    "a patient in training and test": (
        lambda: (raw() / "provenance.json").write_text(json.dumps({"patients": {FIRST: "x", TEST_CASE: "x"}})),
        r"patient x has cases in imagesTr and in imagesTs \(p0_scan0, p9_scan0\)",
    ),
    "patients with several cases, and no folds": (
        lambda: splits_file().unlink(),
        r"3 patients have several cases, such as p0 .*write a splits_final.json",
    ),
}


class TestDefects:
    @pytest.mark.parametrize("defect", PROBLEMS)
    def test_a_problem_is_told_with_its_place_and_cure(self, check: Run, defect: str) -> None:
        plant, sentence = PROBLEMS[defect]
        plant()
        status, out, page = check()
        assert status == 1
        assert_found(out, f"problem: .*{sentence}")
        assert "Problems</h2>" in page

    @pytest.mark.parametrize("defect", REMARKS)
    def test_a_remark_leaves_status_0(self, check: Run, defect: str) -> None:
        plant, sentence = REMARKS[defect]
        plant()
        status, out, page = check()
        assert status == 0
        assert_found(out, f"remark: .*{sentence}")
        assert "Remarks</h2>" in page and "Problems</h2>" not in page

    def test_missing_folds_of_a_protocol_come_with_the_command_that_copies_them(self, check: Run) -> None:
        describe(skipx_protocol=protocol_of(SPLITS))
        shutil.move(splits_file(), raw() / "splits_final.json")
        status, out, _ = check()
        assert status == 1
        assert_found(out, rf"problem: {splits_file()} is missing, expected the 3 .*&& cp {raw()}/splits_final.json")
