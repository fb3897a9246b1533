from pathlib import Path

import pytest
from nnunetv2.dataset_conversion.Dataset027_ACDC import create_ACDC_split

from nnunet_skipx.datasets import acdc
from nnunet_skipx.datasets.recipe import Case, Options
from nnunet_skipx.datasets.volumes import write_volume
from tests.datasets.sources import write_acdc

PART = Options(allow_missing=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_acdc(tmp_path_factory.mktemp("acdc"), patients=7)


def test_the_folds_are_those_of_nnunets_own_converter(tmp_path: Path) -> None:
    cases = []
    for number in range(1, 101):
        for frame in (1, 7 + number % 9):
            name = f"patient{number:03d}_frame{frame:02d}"
            (tmp_path / f"{name}.nii.gz").touch()
            cases.append(Case(name, "Tr", (), (), write_volume, f"patient{number:03d}"))
    expected = create_ACDC_split(str(tmp_path))
    found = acdc.five_folds_of_patients(cases)
    for part in ("train", "val"):
        assert [sorted(fold[part]) for fold in found] == [sorted(fold[part]) for fold in expected]


def test_the_frames_are_those_of_info_cfg_and_no_others(source: Path) -> None:
    names = [case.name for case in acdc.read(source, PART).cases if case.part == "Tr"]
    assert names[:4] == ["patient001_frame01", "patient001_frame08", "patient002_frame01", "patient002_frame09"]


def test_both_frames_of_a_patient_are_in_one_fold(source: Path) -> None:
    for fold in acdc.read(source, PART).splits:
        assert not {name[:10] for name in fold["train"]} & {name[:10] for name in fold["val"]}


def test_a_test_patient_may_lack_labels(source: Path) -> None:
    tests = {case.name[:10]: bool(case.label) for case in acdc.read(source, PART).cases if case.part == "Ts"}
    assert tests == {"patient101": True, "patient102": False, "patient103": True}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ED: 1\n", "has no frame for ES, expected a line such as ES: 1"),
        ("ED: x\nES: 3\n", "no frame for ED"),
        ("", "no frame for ED"),
        ("ED: 3\nES: 3\n", "names frame 3 for both phases"),
        ("ED: 1\nES: ../../x\n", "for ES"),
    ],
)
def test_an_info_cfg_without_two_frames_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "Info.cfg"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        acdc.frame_numbers(path)


SPELLINGS = ["ED: 1\nES: 12\n", "\nED :  1 \r\nGroup: DCM\r\nES:12", "ES: 12\nED: 01\nNbFrame: 30"]


@pytest.mark.parametrize("content", SPELLINGS)
def test_spaces_order_and_line_ends_do_not_matter(tmp_path: Path, content: str) -> None:
    path = tmp_path / "Info.cfg"
    path.write_text(content)
    assert acdc.frame_numbers(path) == (1, 12)


def test_frames_in_folders_of_their_own_name_are_found(tmp_path: Path) -> None:
    source = write_acdc(tmp_path, ending=".nii", patients=1, tests=0)
    patient = source / "training" / "patient001"
    for path in sorted(patient.glob("*.nii")):
        aside = path.rename(patient / "aside")
        path.mkdir()
        aside.rename(path / path.name)
    (patient / "Info.cfg").rename(patient / "info.CFG")
    recipe = acdc.read(source, PART)
    assert len(recipe.cases) == 2
    assert list(recipe.also_read) == [patient / "info.CFG"]
