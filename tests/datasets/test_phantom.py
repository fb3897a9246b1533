import json
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter, label, zoom

from nnunet_skipx.datasets import msd
from nnunet_skipx.datasets.phantom import write_phantom
from nnunet_skipx.datasets.recipe import Options
from tests.datasets import REAL_DATA, almost_full_disk, needs_real_data

LIMIT_SECONDS = 10


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("phantom"))


@pytest.fixture(scope="module")
def labels(task: Path) -> list[np.ndarray]:
    return [voxels(path) for path in sorted((task / "labelsTr").iterdir())]


@pytest.fixture(scope="module")
def images(task: Path) -> list[np.ndarray]:
    return [voxels(path).astype(float) for path in sorted((task / "imagesTr").iterdir())]


def voxels(path: Path) -> np.ndarray:
    return np.asanyarray(nibabel.load(path).dataobj)


def files_of(task: Path) -> dict[str, bytes]:
    return {str(path.relative_to(task)): path.read_bytes() for path in task.rglob("*") if path.is_file()}


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Mean over the labels 1 and 2."""
    pairs = [(prediction == number, reference == number) for number in (1, 2)]
    return float(np.mean([2 * (p & r).sum() / (p.sum() + r.sum()) for p, r in pairs]))


def atlas_of(labels: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Mean of the one-hot label maps, (3, *shape), each stretched to `shape`."""

    def stretch(mask: np.ndarray) -> np.ndarray:
        return zoom(mask.astype(float), np.divide(shape, mask.shape), order=1, mode="nearest", grid_mode=True)

    return np.stack([np.mean([stretch(case == number) for case in labels], axis=0) for number in range(3)])


def flatten(image: np.ndarray) -> np.ndarray:
    """Image without bias field and noise, standardised."""
    flat = gaussian_filter(image / gaussian_filter(image, 8), 1)
    return (flat - flat.mean()) / flat.std()


def test_the_folder_is_a_decathlon_task(task: Path) -> None:
    for case in msd.read(task, Options()).cases:
        case.write(case, task, task)  # reads and checks it
    description = json.loads((task / "dataset.json").read_text())
    assert (task.name, description["numTraining"], description["numTest"]) == ("Task99_Phantom", 20, 4)
    assert len(list((task / "imagesTs").iterdir())) == len(description["test"]) == 4


@needs_real_data
def test_dataset_json_has_the_keys_of_the_real_one(task: Path) -> None:
    keys = [set(json.loads((folder / "dataset.json").read_text())) for folder in (task, REAL_DATA)]
    assert keys[0] == keys[1]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_phantom(tmp_path / name, 3, 1, seed=5) for name in "ab")
    assert files_of(first) == files_of(second)


def test_another_seed_gives_other_images_and_labels(tmp_path: Path) -> None:
    first, second = (files_of(write_phantom(tmp_path / str(seed), 2, 0, seed)) for seed in (1, 2))
    assert all(first[name] != second[name] for name in first)


def test_a_case_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    few, more = (files_of(write_phantom(tmp_path / str(cases), cases, 0)) for cases in (2, 3))
    images = {name for name in few if name != "dataset.json"}
    assert all(few[name] == more[name] for name in images)


def test_cases_differ_in_shape(labels: list[np.ndarray]) -> None:
    assert len({case.shape for case in labels}) > 10


def test_the_default_phantom_takes_less_than_ten_seconds(tmp_path: Path) -> None:
    start = time.process_time()
    write_phantom(tmp_path)
    assert time.process_time() - start < LIMIT_SECONDS


def test_each_label_is_one_piece_and_the_two_touch(labels: list[np.ndarray]) -> None:
    for case in labels:
        assert set(np.unique(case)) == {0, 1, 2}
        assert label(case == 1)[1] == label(case == 2)[1] == label(case > 0)[1] == 1
        assert (binary_dilation(case == 1) & (case == 2)).any()


def test_the_labels_look_alike_and_differ_from_the_background(
    images: list[np.ndarray], labels: list[np.ndarray]
) -> None:
    means = np.array([[flatten(i)[case == n].mean() for n in range(3)] for i, case in zip(images, labels, strict=True)])
    background, anterior, posterior = means.mean(axis=0)
    contrast = (anterior + posterior) / 2 - background
    assert contrast > 1
    assert abs(anterior - posterior) < 0.15 * contrast


def test_brightness_alone_does_not_find_the_structure(images: list[np.ndarray], labels: list[np.ndarray]) -> None:
    for image, case in zip(images, labels, strict=True):
        bright = flatten(image) > np.quantile(flatten(image), 1 - (case > 0).mean())
        assert (bright & (case == 0)).sum() > 0.1 * bright.sum()


def test_an_atlas_is_not_enough_and_looking_at_the_image_helps(
    images: list[np.ndarray], labels: list[np.ndarray]
) -> None:
    """Over five folds: the mean label map alone, and weighted with how likely each voxel's brightness is."""
    atlas_dice, informed_dice = [], []
    flat = [flatten(image) for image in images]
    for number, case in enumerate(labels):
        others = [other for other in range(len(labels)) if other % 5 != number % 5]
        atlas = atlas_of([labels[other] for other in others], case.shape)
        pairs = [(flat[other], labels[other] > 0) for other in others]
        likelihoods = []
        for inside in (False, True):
            values = np.concatenate([image[mask == inside] for image, mask in pairs])
            z = (flat[number] - values.mean()) / values.std()
            likelihoods.append(np.exp(-(z**2) / 2) / values.std())
        prior = gaussian_filter(atlas, (0, 1.5, 1.5, 1.5))
        atlas_dice.append(dice(atlas.argmax(0), case))
        informed_dice.append(dice((prior * np.stack(likelihoods)[[0, 1, 1]]).argmax(0), case))
    assert 0.4 < np.mean(atlas_dice) < 0.65
    assert np.mean(informed_dice) > np.mean(atlas_dice) + 0.1


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    task = write_phantom(tmp_path, 1, 0)
    before = files_of(task)
    with pytest.raises(FileExistsError, match="exists already: remove it"):
        write_phantom(tmp_path, 2, 0, seed=1)
    assert files_of(task) == before


def test_a_full_disk_is_one_clear_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with almost_full_disk(), pytest.raises(OSError, match=r"cannot write .*Task99_Phantom \(File too large\): free"):
        write_phantom(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("cases", "shape"), [(0, (32, 44, 32)), (1, (32, 44, 8))])
def test_an_impossible_phantom_is_refused(tmp_path: Path, cases: int, shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1 training case and 16 voxels"):
        write_phantom(tmp_path, cases, shape=shape)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(20, 28, 20), (40, 30, 24)])
def test_other_sizes_hold_the_whole_structure_too(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    task = write_phantom(tmp_path, 3, 0, shape=shape)
    for path in (task / "labelsTr").iterdir():
        case = voxels(path)
        assert np.abs(np.subtract(case.shape, shape)).max() <= 3
        assert set(np.unique(case)) == {0, 1, 2}
