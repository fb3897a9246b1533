"""`skipx data check` on pictures, and on every format that nnU-Net reads."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image

from tests.datasets.check.data import (
    AFFINE,
    CASES,
    PICTURES,
    assert_found,
    cut,
    describe,
    raw,
    run_check,
    start,
    use_folders,
    write_pictures,
)

FIRST = CASES[0]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_folders(tmp_path, monkeypatch)


def picture_file() -> Path:
    return raw(PICTURES) / "imagesTr" / f"{FIRST}_0000.png"


def mask_file() -> Path:
    return raw(PICTURES) / "labelsTr" / f"{FIRST}.png"


def write_16_bits() -> None:
    Image.fromarray(np.full((20, 30), 300, np.uint16) + np.arange(30, dtype=np.uint16)).save(picture_file())


def write_mask_of_255() -> None:
    Image.fromarray(np.asarray(Image.open(mask_file())) * 255).save(mask_file())


PROBLEMS: dict[str, tuple[Callable[[], object], str]] = {
    "a mask with 255": (write_mask_of_255, r"labelsTr/p0_scan0.png holds the value 255 \(72 voxels\), expected only"),
    "a mask of another size": (
        lambda: Image.open(mask_file()).resize((31, 20)).save(mask_file()),
        r"labelsTr/p0_scan0.png has 31 x 20 voxels, expected 30 x 20 as in imagesTr/p0_scan0_0000.png",
    ),
    "a mask in colours": (
        lambda: Image.open(mask_file()).convert("RGB").save(mask_file()),
        r"labelsTr/p0_scan0.png has 3 channels, expected 1 that holds ids: save it as a grey picture",
    ),
    "a picture with a fourth channel": (
        lambda: Image.open(picture_file()).convert("RGBA").save(picture_file()),
        r"case p0_scan0: imagesTr/p0_scan0_0000.png has 4 channels, expected 3 as in dataset.json .*: save",
    ),
    "a grey picture among coloured ones": (
        lambda: Image.open(picture_file()).convert("L").save(picture_file()),
        r"0000.png has 1 channels, expected 3",
    ),
    "a picture with more than 8 bits": (
        write_16_bits,
        r"imagesTr/p0_scan0_0000.png has values from 300 to 329 in channel 0 \(rgb_to_0_1\), expected 0",
    ),
    "a cut picture": (lambda: cut(picture_file(), 0.5), r"imagesTr/p0_scan0_0000.png cannot be read \(.*\): restore"),
    "an empty mask file": (lambda: cut(mask_file(), 0), r"labelsTr/p0_scan0.png cannot be read \(.*\): restore it"),
}


class TestPictures:
    @pytest.fixture(autouse=True)
    def pictures(self) -> None:
        write_pictures()

    def test_a_clean_data_set_has_no_findings_and_tells_areas_in_pixels(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status, out, page = run_check(capsys, "-d", PICTURES)
        assert status == 0
        assert "\nNothing found.\n" in out and "nnU-Net will draw its own folds" in out
        assert_found(out, r"size \(x, y\), pixels +30 x 20 +30 x 20 +30 x 20 +6 of 6")
        assert_found(out, r"label gland, pixels +72 +72 +72 +6 of 6")
        assert "spacing" not in out
        assert "the first three channels as colours" in page

    @pytest.mark.parametrize("defect", PROBLEMS)
    def test_a_problem_is_told_with_its_place_and_cure(self, capsys: pytest.CaptureFixture[str], defect: str) -> None:
        plant, sentence = PROBLEMS[defect]
        plant()
        status, out, _ = run_check(capsys, "-d", "8")
        assert status == 1
        assert_found(out, f"problem: .*{sentence}")

    def test_duplicates_are_a_problem_as_long_as_folds_are_drawn(self, capsys: pytest.CaptureFixture[str]) -> None:
        Image.open(picture_file()).save(picture_file().with_name(f"{CASES[1]}_0000.png"))
        status, out, _ = run_check(capsys, "-d", "8")
        assert status == 1
        assert_found(out, "problem: cases p0_scan0, p0_scan1 have the same image.*; the folds that nnU-Net draws may")

    def test_patients_with_several_pictures_need_folds(self, capsys: pytest.CaptureFixture[str]) -> None:
        _, out, _ = run_check(capsys, "-d", "8", "--patient", r"p\d")
        assert_found(out, "remark: 3 patients have several cases, such as p0 .*nnU-Net's own folds part them: write a")


def itk(path: Path, voxels: np.ndarray) -> None:
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing((0.5, 0.5, 2.0)[: voxels.ndim])
    SimpleITK.WriteImage(image, str(path))


def nifti(path: Path, voxels: np.ndarray) -> None:
    nibabel.Nifti1Image(voxels.T, AFFINE).to_filename(path)


def tiff(path: Path, voxels: np.ndarray) -> None:
    tifffile.imwrite(path, voxels)
    path.with_name(path.name.replace("_0000", "")).with_suffix(".json").write_text(json.dumps({"spacing": [2, 1, 1]}))


def picture(path: Path, voxels: np.ndarray) -> None:
    Image.fromarray(voxels).save(path)


FORMATS: dict[str, tuple[str, Callable[[Path, np.ndarray], None], int, str]] = {
    "NIfTI by SimpleITK": (".nii.gz", nifti, 3, "ml +0.01"),
    "NIfTI by nibabel": (".nii", nifti, 3, "ml +0.01"),
    "NRRD": (".nrrd", itk, 3, "ml +0.01"),
    "MetaImage": (".mha", itk, 3, "ml +0.01"),
    "3D TIFF with its spacing": (".tif", tiff, 3, "voxels +20"),
    "2D NIfTI": (".nii.gz", itk, 2, "pixels +10"),
    "2D TIFF": (".tif", picture, 2, "pixels +10"),
    "BMP": (".bmp", picture, 2, "pixels +10"),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_of_nnunets_is_read_and_a_cut_file_is_found(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    ending, write, axes, volume = FORMATS[kind]
    folder = start("Dataset009_Format", ("Microscope",), {"background": 0, "cell": 1}, ending)
    label = np.zeros((6, 9, 8)[-axes:], np.uint8)
    label[..., 2:4, 3:9] = 1
    label = label if axes == 2 else label * (np.arange(6) < 2).astype(np.uint8)[:, None, None]
    for number, case in enumerate(CASES):
        image = np.random.default_rng(number).integers(0, 255, label.shape).astype(np.uint8)
        write(folder / "imagesTr" / f"{case}_0000{ending}", image)
        write(folder / "labelsTr" / f"{case}{ending}", label)
    status, out, page = run_check(capsys, "-d", "9")
    assert (status, "\nNothing found.\n" in out) == (0, True), out
    assert_found(out, f"label cell, {volume} .*6 of 6")
    assert ">unreadable<" not in page
    cut(folder / "imagesTr" / f"{CASES[2]}_0000{ending}", 0.3)
    status, out, _ = run_check(capsys, "-d", "9")
    assert status == 1
    assert_found(out, rf"problem: case p1_scan0: imagesTr/p1_scan0_0000{ending} .*restore it")


def test_another_reader_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures()
    describe(PICTURES, overwrite_image_reader_writer="NaturalImage2DIO")
    assert run_check(capsys, "-d", "8")[0] == 0
