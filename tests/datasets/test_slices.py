from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest

from nnunet_skipx.datasets import synapse
from nnunet_skipx.datasets.recipe import Case, Options, Record, Written
from nnunet_skipx.datasets.slices import write_slices, write_stored
from tests.datasets.sources import write_slices as write_source

SHAPE = (5, 12, 8)  # D, H, W
IMAGE = np.random.default_rng(0).random(SHAPE).astype(np.float32)
LABEL = np.random.default_rng(1).integers(0, 9, size=SHAPE).astype(np.float32)
TRANSUNET = Options(label_map="transunet")


def save_npz(folder: Path, **changes: np.ndarray) -> Case:
    paths = tuple(folder / f"case0005_slice{number:03d}.npz" for number in range(SHAPE[0]))
    for number, path in enumerate(paths):
        np.savez(path, **({"image": IMAGE[number], "label": LABEL[number]} | (changes if number == 2 else {})))
    return Case("case0005", "Tr", paths, paths, write_slices)


def save_h5(folder: Path, **changes: np.ndarray) -> Case:
    path = folder / "case0001.npy.h5"
    with h5py.File(path, "w") as file:
        for name, values in ({"image": IMAGE, "label": LABEL} | changes).items():
            file[name] = values
    return Case("case0001", "Tr", (path,), (path,), write_stored)


def write(case: Case, folder: Path) -> Written:
    return case.write(case, folder / "image.nii.gz", folder / "label.nii.gz")


@pytest.mark.parametrize("save", [save_npz, save_h5])
class TestBothForms:
    def test_columns_are_x_rows_are_y_and_slices_are_z(self, save: Callable[..., Case], tmp_path: Path) -> None:
        written = write(save(tmp_path), tmp_path)
        image, label = (nibabel.load(tmp_path / f"{name}.nii.gz") for name in ("image", "label"))
        assert np.array_equal(image.get_fdata(dtype=np.float32), IMAGE.transpose(2, 1, 0))
        assert np.array_equal(np.asanyarray(label.dataobj), LABEL.transpose(2, 1, 0).astype(np.uint8))
        assert image.header.get_zooms() == label.header.get_zooms() == (1, 1, 1)
        assert written.notes == ()
        assert sum(written.label_counts.values()) == LABEL.size

    def test_a_label_beyond_eight_is_refused(self, save: Callable[..., Case], tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"case000.* contains the label\(s\) \[9\], expected 0 to 8"):
            write(save(tmp_path, label=np.full(SHAPE if save is save_h5 else SHAPE[1:], 9.0)), tmp_path)

    def test_an_image_that_is_no_number_is_refused(self, save: Callable[..., Case], tmp_path: Path) -> None:
        shape = SHAPE if save is save_h5 else SHAPE[1:]
        with pytest.raises(ValueError, match=r"case000.* has voxels that are no numbers"):
            write(save(tmp_path, image=np.full(shape, np.nan)), tmp_path)

    def test_another_size_is_refused(self, save: Callable[..., Case], tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"has an image of .*\(3, 3\).* and a label of .*, expected the same size"):
            write(save(tmp_path, image=np.zeros((3, 3))), tmp_path)

    def test_values_outside_0_to_1_are_told(self, save: Callable[..., Case], tmp_path: Path) -> None:
        shape = SHAPE if save is save_h5 else SHAPE[1:]
        assert "image values from" in write(save(tmp_path, image=np.full(shape, 1.5)), tmp_path).notes[0]


class TestHDF5:
    def test_data_that_lie_in_another_file_are_refused(self, tmp_path: Path) -> None:
        save_h5(tmp_path).image[0].rename(tmp_path / "elsewhere.h5")
        path = tmp_path / "case0001.npy.h5"
        with h5py.File(path, "w") as file:
            file["image"] = h5py.ExternalLink("elsewhere.h5", "image")
            file["label"] = LABEL
        with pytest.raises(ValueError, match=r"case0001\.npy\.h5 has no dataset image of its own"):
            write(Case("c", "Tr", (path,), (path,), write_stored), tmp_path)

    def test_bytes_that_lie_in_another_file_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "passwords").write_bytes(IMAGE.tobytes())
        path = tmp_path / "case0001.npy.h5"
        with h5py.File(path, "w") as file:
            outside = [(str(tmp_path / "passwords"), 0, IMAGE.nbytes)]
            file.create_dataset("image", SHAPE, dtype="f4", external=outside)
            file["label"] = LABEL
        with pytest.raises(ValueError, match=r"has no dataset image of its own"):
            write(Case("c", "Tr", (path,), (path,), write_stored), tmp_path)

    def test_a_missing_dataset_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "case0001.npy.h5"
        with h5py.File(path, "w") as file:
            file["image"] = IMAGE
        with pytest.raises(ValueError, match=r"has no dataset label of its own"):
            write(Case("c", "Tr", (path,), (path,), write_stored), tmp_path)

    def test_a_pickle_in_an_npz_is_not_opened(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"case0005_slice002\.npz is no complete npz"):
            write(save_npz(tmp_path, image=np.array([{}], dtype=object)), tmp_path)


class TestSplitAndLabels:
    def test_a_case_on_the_wrong_side_of_the_split_is_refused(self, tmp_path: Path) -> None:
        root = write_source(tmp_path, synapse.LABEL_MAPS["transunet"])
        np.savez(root / "train_npz" / "case0001_slice000.npz", image=IMAGE[0], label=LABEL[0])
        with pytest.raises(ValueError, match=r"train_npz holds case0001, expected only the cases 0005, 0006"):
            synapse.read(root, TRANSUNET)

    def test_both_forms_in_one_folder_are_not_guessed_between(self, tmp_path: Path) -> None:
        root = write_source(tmp_path, synapse.LABEL_MAPS["transunet"])
        (root / "RawData" / "Training").mkdir(parents=True)
        with pytest.raises(ValueError, match=r"holds both .*Training and .*train_npz: give the one"):
            synapse.read(root, TRANSUNET)

    def test_a_label_map_must_be_named(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="needs --label-map transunet or samed"):
            synapse.read(tmp_path, Options())

    @pytest.mark.parametrize(("said", "true"), [("transunet", "samed"), ("samed", "transunet")])
    def test_the_wrong_label_map_is_noticed_by_the_organs_sizes(self, tmp_path: Path, said: str, true: str) -> None:
        source = write_source(tmp_path, synapse.LABEL_MAPS[true])
        recipe = synapse.read(source, Options(label_map=said))
        records = [Record(case.name, write(case, tmp_path), {}) for case in recipe.cases[-3:]]
        assert recipe.finish is not None
        with pytest.raises(ValueError, match="the gallbladder would be larger than the right kidney"):
            recipe.finish(tmp_path, 42, records, 1)

    def test_both_label_maps_name_the_same_eight_organs(self) -> None:
        first, second = (synapse.LABEL_MAPS[name] for name in ("transunet", "samed"))
        assert first.keys() == second.keys()
        assert sorted(first.values()) == sorted(second.values()) == list(range(1, 9))

    def test_the_split_is_18_and_12_and_complete(self) -> None:
        assert (len(synapse.TRAIN), len(synapse.TEST)) == (18, 12)
        train = "0005 0006 0007 0009 0010 0021 0023 0024 0026 0027 0028 0030 0031 0033 0034 0037 0039 0040"
        assert list(synapse.TRAIN) == train.split()
