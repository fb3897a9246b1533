from pathlib import Path

import pytest

from nnunet_skipx.datasets.source import files_by_key, find_folder, listing, require_count, require_folder, require_keys


def test_leftovers_of_archive_tools_are_not_listed(tmp_path: Path) -> None:
    for name in ("a.txt", "._a.txt", ".DS_Store", "_a.txt"):
        (tmp_path / name).touch()
    (tmp_path / "__MACOSX").mkdir()
    assert [path.name for path in listing(tmp_path)] == ["a.txt"]


@pytest.mark.parametrize("name", ["Tissue Images", "tissue_images", "TISSUE-IMAGES", "TissueImages"])
def test_a_folder_is_found_whatever_its_spelling_and_three_levels_down(tmp_path: Path, name: str) -> None:
    deep = tmp_path / "a" / "b" / name
    deep.mkdir(parents=True)
    assert find_folder(tmp_path, "Tissue Images") == deep
    assert find_folder(deep, "Tissue Images") == deep
    assert find_folder(tmp_path, "Annotations") is None


def test_a_nearer_folder_wins(tmp_path: Path) -> None:
    (tmp_path / "a" / "img").mkdir(parents=True)
    (tmp_path / "img").mkdir()
    assert find_folder(tmp_path, "img") == tmp_path / "img"


def test_a_missing_folder_is_told_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "Train").mkdir()
    with pytest.raises(FileNotFoundError, match="has no folder Testing or Test; there are: Train"):
        require_folder(tmp_path, "Testing", "Test")
    with pytest.raises(FileNotFoundError, match="absent does not exist"):
        require_folder(tmp_path / "absent", "Testing")


def test_names_are_compared_whole_and_without_case(tmp_path: Path) -> None:
    for name in ("IMG0001.nii.gz", "img0002.NII.GZ", "img0003.nii.gz.part", "xximg0004.nii.gz", "img00005.nii.gz"):
        (tmp_path / name).touch()
    (tmp_path / "img0006.nii.gz").mkdir()
    assert sorted(files_by_key(tmp_path, r"img(\d{4})\.nii\.gz")) == ["0001", "0002"]


def test_two_files_of_one_case_are_refused(tmp_path: Path) -> None:
    for name in ("img0001.nii.gz", "img0001.nii"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"img0001.* are both case 0001: remove the one"):
        files_by_key(tmp_path, r"img(\d{4})\.nii(?:\.gz)?")


def test_the_first_missing_file_is_named_with_their_number(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"img0002\.nii\.gz is missing \(2 of this kind in all\)"):
        require_keys(["0001"], ["0003", "0001", "0002"], tmp_path, "img{}.nii.gz", allow_missing=False)
    require_keys(["0001"], ["0002"], tmp_path, "img{}.nii.gz", allow_missing=True)


@pytest.mark.parametrize("allow_missing", [True, False])
def test_neither_none_nor_too_many_are_accepted(tmp_path: Path, allow_missing: bool) -> None:
    with pytest.raises(FileNotFoundError, match="holds 0 pictures, expected 30: complete the download"):
        require_count(0, 30, tmp_path, "pictures", allow_missing)
    with pytest.raises(ValueError, match="holds 37 pictures, expected 30: remove those that do not belong"):
        require_count(37, 30, tmp_path, "pictures", allow_missing)
    require_count(30, 30, tmp_path, "pictures", allow_missing)


def test_some_are_accepted_on_request(tmp_path: Path) -> None:
    require_count(7, 30, tmp_path, "pictures", allow_missing=True)
    with pytest.raises(FileNotFoundError, match="holds 7 pictures, expected 30"):
        require_count(7, 30, tmp_path, "pictures", allow_missing=False)
