import errno
import gzip
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from nnunetv2.utilities.crossval_split import generate_crossval_split

from nnunet_skipx.datasets import convert as conversion
from nnunet_skipx.datasets import msd
from nnunet_skipx.datasets.convert import convert
from nnunet_skipx.datasets.destination import VARIABLES
from nnunet_skipx.datasets.phantom import write_phantom
from nnunet_skipx.datasets.protocol import fold_digest, protocol_in
from nnunet_skipx.datasets.recipe import Case, Options, Recipe, Written
from tests.datasets import REAL_DATA, needs_real_data
from tests.forking.pools import forked_pools

FIRST = "phantom_001.nii.gz"
SHEARED = np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("phantom"), 3, 1)


@pytest.fixture
def task(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "source" / pristine.name))


@pytest.fixture(autouse=True)
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return set_folders(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def converted(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A source with what archive tools leave behind, and the data set made from it under another id."""
    task = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("junk") / pristine.name))
    for name in ("._phantom_001.nii.gz", "_phantom_001.nii.gz", ".DS_Store"):
        for folder in msd.FOLDERS:
            (task / folder / name).write_bytes(b"junk")
    with pytest.MonkeyPatch.context() as patch:
        set_folders(tmp_path_factory.mktemp("nnunet"), patch)
        return task, convert_msd(task, 7)


@pytest.fixture
def copied(converted: tuple[Path, Path], tmp_path: Path) -> Path:
    """That data set, to be spoilt."""
    return Path(shutil.copytree(converted[1], tmp_path / "copied"))


def set_folders(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    for variable in VARIABLES:
        patch.setenv(variable, str(folder / variable))
        (folder / variable).mkdir()
    return folder / "nnUNet_raw"


def recipe(source: Path) -> Recipe:
    return msd.read(source, Options())


def check(case: Case) -> Written:
    return case.write(case, Path("unused"), Path("unused"))


def convert_msd(source: Path, number: int = 99) -> Path:
    with forked_pools():
        return convert(recipe(source), number).folder


def edit(task: Path, **changes: object) -> None:
    path = task / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray], affine: np.ndarray | None = None) -> None:
    voxels = np.array(nibabel.load(path).dataobj)
    nibabel.Nifti1Image(change(voxels), np.eye(4) if affine is None else affine).to_filename(path)


def with_value(value: float, dtype: type = np.uint8) -> Callable[[np.ndarray], np.ndarray]:
    def change(voxels: np.ndarray) -> np.ndarray:
        changed = voxels.astype(dtype)
        changed[0, 0, 0] = value
        return changed

    return change


def cut(path: Path, keep: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def remove_key(task: Path, key: str) -> None:
    path = task / "dataset.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != key}))


class TestConversion:
    def test_the_data_set_has_the_given_id_and_its_place_for_itself(self, converted: tuple[Path, Path]) -> None:
        folder = converted[1]
        assert folder.name == "Dataset007_Phantom"
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]
        names = {path.name for path in folder.iterdir()}
        assert names == {"imagesTr", "labelsTr", "imagesTs", "dataset.json", "provenance.json"}

    def test_voxels_and_label_names_survive(self, converted: tuple[Path, Path]) -> None:
        task, folder = converted
        for source, target in (("imagesTr", "phantom_001_0000.nii.gz"), ("labelsTr", FIRST)):
            before, after = map(SimpleITK.ReadImage, (task / source / FIRST, folder / source / target))
            assert np.array_equal(SimpleITK.GetArrayFromImage(before), SimpleITK.GetArrayFromImage(after))
            assert before.GetSpacing() == after.GetSpacing()
        content = json.loads((folder / "dataset.json").read_text())
        assert content["labels"] == {"background": 0, "Anterior": 1, "Posterior": 2}
        assert content["channel_names"] == {"0": "MRI"}
        assert content["licence"] == "CC0 1.0"

    def test_leftovers_of_archive_tools_are_ignored(self, converted: tuple[Path, Path]) -> None:
        assert not [path for path in converted[1].rglob("*") if path.name.startswith((".", "_"))]

    @needs_real_data
    def test_the_real_hippocampus_converts_with_nnunets_own_folds(self, raw: Path) -> None:
        folder = convert_msd(REAL_DATA, 4)
        assert folder.name == "Dataset004_Hippocampus"
        assert conversion.is_converted(recipe(REAL_DATA), folder)
        cases = sorted(path.name[:-7] for path in (REAL_DATA / "labelsTr").glob("hippo*"))
        splits = json.loads((raw.parent / "nnUNet_preprocessed" / folder.name / "splits_final.json").read_text())
        assert splits == generate_crossval_split(cases, seed=12345, n_splits=5)
        protocol = protocol_in(json.loads((folder / "dataset.json").read_text()))
        assert protocol is not None
        assert protocol.name == "MSD Task04 Hippocampus 5-fold (40 of 260 cases)"
        assert protocol.folds == tuple(fold_digest(fold["val"]) for fold in splits)

    def test_channels_become_files(self, task: Path, raw: Path) -> None:
        for folder in ("imagesTr", "imagesTs"):
            for path in (task / folder).iterdir():
                rewrite(path, lambda voxels: np.stack([voxels, voxels // 2], axis=-1))
        for path in (task / "labelsTr").iterdir():
            rewrite(path, lambda voxels: voxels)
        edit(task, modality={"0": "T1", "1": "T2"})
        folder = convert_msd(task)
        assert conversion.is_converted(recipe(task), folder)
        second = folder / "imagesTr" / "phantom_003_0001.nii.gz"
        first = np.asanyarray(nibabel.load(str(second).replace("_0001", "_0000")).dataobj)
        assert np.array_equal(np.asanyarray(nibabel.load(second).dataobj), first // 2)
        second.unlink()
        assert not conversion.is_converted(recipe(task), folder)

    def test_a_relative_path_with_a_trailing_slash_works(self, task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(task)
        assert recipe(Path(".")).name == recipe(Path("../Task99_Phantom/")).name == "Phantom"

    def test_a_label_that_is_off_its_image_is_told(self, task: Path, raw: Path) -> None:
        rewrite(task / "labelsTr" / FIRST, lambda voxels: voxels, np.diag([1, 1, 1, 1]) + np.eye(4, k=3) * 5)
        written = check(recipe(task).cases[0])
        assert re.search(r"phantom_001\.nii\.gz: its grid lies .* mm off its image's", written.notes[0])


class TestIsConverted:
    def test_it_is_after_a_conversion_and_not_before(self, converted: tuple[Path, Path], tmp_path: Path) -> None:
        task, folder = converted
        assert conversion.is_converted(recipe(task), folder)
        assert not conversion.is_converted(recipe(task), tmp_path)

    @pytest.mark.parametrize(
        "lost",
        ["dataset.json", f"labelsTr/{FIRST}", "imagesTr/phantom_002_0000.nii.gz", "imagesTs/phantom_004_0000.nii.gz"],
    )
    def test_it_is_not_when_a_file_is_lost(self, task: Path, copied: Path, lost: str) -> None:
        assert conversion.is_converted(recipe(task), copied)
        (copied / lost).unlink()
        assert not conversion.is_converted(recipe(task), copied)

    def test_it_is_not_for_other_data_of_the_same_name(self, copied: Path, tmp_path: Path) -> None:
        assert not conversion.is_converted(recipe(write_phantom(tmp_path / "other", 3, 1, seed=1)), copied)

    def test_it_is_not_for_other_label_names(self, task: Path, copied: Path) -> None:
        edit(task, labels={"0": "background", "1": "Head", "2": "Tail"})
        assert not conversion.is_converted(recipe(task), copied)


BAD_INPUT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no training images": (lambda t: shutil.rmtree(t / "imagesTr"), r"imagesTr is missing"),
    "no test folder": (lambda t: shutil.rmtree(t / "imagesTs"), r"imagesTs is missing .*mkdir '.*imagesTs'"),
    "no dataset.json": (lambda t: (t / "dataset.json").unlink(), r"dataset\.json is missing"),
    "broken JSON": (lambda t: cut(t / "dataset.json", 0.5), r"dataset\.json is not valid JSON .*restore"),
    "binary JSON": (lambda t: (t / "dataset.json").write_bytes(b"\xff\xfe\x81"), r"dataset\.json is not valid JSON"),
    "a list as JSON": (lambda t: (t / "dataset.json").write_text("[]"), r"the file is .*, expected an object"),
    "no modality": (lambda t: remove_key(t, "modality"), r"modality is missing, expected an object"),
    "no test list": (lambda t: remove_key(t, "test"), r"test is missing, expected a list"),
    "labels as a list": (lambda t: edit(t, labels=["background"]), r'labels is \["background"\], expected an object'),
    "an entry without label": (lambda t: edit(t, training=[{"image": FIRST}]), r"training\[0\]\.label is missing"),
    "a wrong count": (lambda t: edit(t, numTraining=260), r'"numTraining": 260, but lists 3'),
    "a lost image": (lambda t: (t / "imagesTr" / FIRST).unlink(), r"imagesTr/phantom_001\.nii\.gz is listed in"),
    "a lost label": (lambda t: (t / "labelsTr" / FIRST).unlink(), r"labelsTr/phantom_001\.nii\.gz is listed in"),
    "an unlisted image": (
        lambda t: shutil.copy(t / "imagesTr" / FIRST, t / "imagesTr" / "more.nii.gz"),
        r"imagesTr/more\.nii\.gz is not listed in",
    ),
    "a pair of different names": (
        lambda t: edit(t, training=[{"image": "imagesTr/a.nii.gz", "label": "labelsTr/b.nii.gz"}]),
        r"pairs imagesTr/a\.nii\.gz with labelsTr/b\.nii\.gz",
    ),
    "a path that leaves the folder": (
        lambda t: edit(t, training=[dict.fromkeys(("image", "label"), "../../../etc/passwd.nii.gz")], numTraining=1),
        r"imagesTr/passwd\.nii\.gz is listed in",
    ),
    "a gap in the labels": (lambda t: edit(t, labels={"0": "background", "2": "x"}), r"without gaps"),
    "no background": (lambda t: edit(t, labels={"0": "x", "1": "y", "2": "z"}), r'"0": "background"'),
    "a label name twice": (
        lambda t: edit(t, labels={"0": "background", "1": "x", "2": "x"}),
        r"one name to several labels",
    ),
    "a cut label": (lambda t: cut(t / "labelsTr" / FIRST, 0.6), r"labelsTr/phantom_001.* is not a complete NIfTI"),
    "a cut image": (lambda t: cut(t / "imagesTr" / FIRST, 0.6), r"imagesTr/phantom_001.* is not a complete NIfTI"),
    "a cut test image": (lambda t: cut(t / "imagesTs" / "phantom_004.nii.gz", 0.9), r"imagesTs/phantom_004.* complete"),
    "an empty image": (lambda t: cut(t / "imagesTr" / FIRST, 0), r"imagesTr/phantom_001.* is not a complete NIfTI"),
    "a web page as image": (
        lambda t: (t / "imagesTr" / FIRST).write_text("<html>not found</html>"),
        r"imagesTr/phantom_001.* is not a complete NIfTI",
    ),
    "a gzip file of something else": (
        lambda t: (t / "imagesTr" / FIRST).write_bytes(gzip.compress(b"x" * 1000)),
        r"imagesTr/phantom_001.* is not a complete NIfTI",
    ),
    "another size": (lambda t: rewrite(t / "labelsTr" / FIRST, lambda v: v[1:]), r"voxels, expected \("),
    "more channels": (lambda t: edit(t, modality={"0": "T1", "1": "T2"}), r"lists 2 channel\(s\)"),
    "a stray label": (
        lambda t: rewrite(t / "labelsTr" / FIRST, with_value(254)),
        r"labelsTr/phantom_001\.nii\.gz contains the label\(s\) \[254\], expected only \[0, 1, 2\]",
    ),
    "a negative label": (lambda t: rewrite(t / "labelsTr" / FIRST, with_value(-1, np.int16)), r"label\(s\) \[-1\]"),
    "a fractional label": (
        lambda t: rewrite(t / "labelsTr" / FIRST, with_value(0.5, np.float32)),
        r"not whole numbers, such as 0\.5",
    ),
    "a label that is no number": (
        lambda t: rewrite(t / "labelsTr" / FIRST, with_value(np.nan, np.float32)),
        r"labelsTr/phantom_001.* voxels that are no numbers \(NaN",
    ),
    "a sheared label": (
        lambda t: rewrite(t / "labelsTr" / FIRST, lambda voxels: voxels, SHEARED),
        r"labelsTr/phantom_001.* header that nnU-Net cannot read \(ITK ERROR: .*orthonormal",
    ),
    "a wrong folder name": (lambda t: t.rename(t.parent / "Phantom"), r"Phantom is not called TaskNN_Name"),
}


class TestBadInput:
    @pytest.mark.parametrize("case", BAD_INPUT)
    def test_it_is_refused_in_one_clear_sentence_and_nothing_is_written(self, task: Path, raw: Path, case: str) -> None:
        spoil, message = BAD_INPUT[case]
        spoil(task)
        source = next(task.parent.iterdir())
        with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
            convert_msd(source)
        assert "\n" not in str(caught.value)
        assert list(raw.iterdir()) == []

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"Task04_Absent does not exist: give"):
            convert_msd(tmp_path / "Task04_Absent")

    @pytest.mark.parametrize("dataset_id", [-1, 10000])
    def test_an_impossible_id_is_refused(self, task: Path, dataset_id: int) -> None:
        with pytest.raises(ValueError, match=f"id {dataset_id} .* not within 0 to 9999"):
            convert_msd(task, dataset_id)

    def test_ids_of_four_digits_work(self, task: Path, raw: Path) -> None:
        convert_msd(task, 1235)
        (folder,) = raw.iterdir()
        assert folder.name.startswith("Dataset1235_") and (folder / "dataset.json").is_file()

    def test_an_unset_variable_is_named_with_the_cure(self, task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("nnUNet_raw")
        with pytest.raises(ValueError, match="nnUNet_raw is not set: export nnUNet_raw="):
            convert_msd(task)

    @pytest.mark.parametrize("variable", VARIABLES)
    def test_a_taken_id_is_refused_with_the_folder_that_takes_it(
        self, task: Path, tmp_path: Path, variable: str
    ) -> None:
        (tmp_path / variable / "Dataset099_Other").mkdir()
        with pytest.raises(ValueError, match=f"id 99 is taken by .*{variable}/Dataset099_Other: choose another id"):
            convert_msd(task)

    def test_an_unforeseen_failure_of_the_converter_is_one_sentence(
        self, task: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: object) -> None:
            raise RuntimeError("Exception thrown in SimpleITK\nsome.cxx:99:\nITK ERROR: the reason")

        monkeypatch.setattr(msd, "convert_msd_dataset", fail)
        with pytest.raises(ValueError, match=r"failed on .*Task99_Phantom \(ITK ERROR: the reason\)") as caught:
            convert_msd(task)
        assert "\n" not in str(caught.value)
        assert list(raw.iterdir()) == []


class TestInterruption:
    @pytest.fixture(params=[KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))], ids=repr)
    def accident(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> BaseException:
        """Happens when nnU-Net's converter has written some of the files."""

        def convert_half(*args: object) -> None:
            folder = Path(os.environ["nnUNet_raw"]) / "Dataset099_Phantom" / "imagesTr"  # noqa: SIM112  nnU-Net's name
            folder.mkdir(parents=True)
            (folder / "phantom_001_0000.nii.gz").write_bytes(b"half")
            raise request.param

        monkeypatch.setattr(msd, "convert_msd_dataset", convert_half)
        return request.param

    def test_nothing_is_left_behind_and_a_second_attempt_succeeds(
        self, task: Path, raw: Path, accident: BaseException, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        variables = dict(os.environ)
        with pytest.raises(type(accident)):
            convert_msd(task)
        assert list(raw.iterdir()) == []
        assert dict(os.environ) == variables
        monkeypatch.undo()
        for variable in VARIABLES:
            monkeypatch.setenv(variable, str(raw.parent / variable))
        assert conversion.is_converted(recipe(task), convert_msd(task))

    def test_too_little_space_is_told_before_anything_is_written(
        self, task: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
        with pytest.raises(OSError, match=r"cannot write .*Dataset099_Phantom \(.* MB needed, 0 MB free\): free some"):
            convert_msd(task)
        assert list(raw.iterdir()) == []
