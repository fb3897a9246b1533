"""An image that two domains hold is trained on in both or validated in both, in every fold; else there is no run."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch

from nnunet_skipx.training.variants import trainer_class
from nnunet_skipx.universal.add_domain import adaptation
from nnunet_skipx.universal.create import create_run
from nnunet_skipx.universal.run import read_run
from nnunet_skipx.universal.shared_images import require_no_leak, require_unseen, shared_images, splits_of
from tests.plan_shapes import dataset_json
from tests.universal.conftest import CASES, Make
from tests.universal.runs import SHALLOW, UNIVERSAL, make_trainer, train

ONE, OTHER = "Dataset011_Made", "Dataset012_Made"
SHAPE = (3, 4, 5)
DESCRIPTION = dataset_json()


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, SHAPE).astype(np.int16)


def write_image(root: Path, dataset: str, name: str, voxels: np.ndarray, spacing: float = 1.0) -> Path:
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing((spacing,) * 3)
    path = root / "nnUNet_raw" / dataset / "imagesTr" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.fixture
def domains(make_domain: Make) -> Path:
    """Two domains of three cases (a, b for training, c for validation) with images of their own; the root of all."""
    for number in (11, 12):
        folder = make_domain(number, SHALLOW)
        for index, case in enumerate(CASES):
            write_image(folder.parents[1], folder.name, f"{case}_0000.nii.gz", noise(100 * number + index))
    return folder.parents[1]


def create(number: int = 500) -> Path:
    return create_run([ONE, OTHER], number, configurations=["test"])


def test_domains_of_their_own_images_become_a_run(domains: Path, capsys: pytest.CaptureFixture) -> None:
    create()
    assert read_run("Dataset500_Universal").shared_images == []
    assert "Not compared" not in capsys.readouterr().out


@pytest.mark.parametrize(("case", "other"), [("c", "a"), ("a", "c")])
def test_what_one_trains_on_and_the_other_validates_is_refused(domains: Path, case: str, other: str) -> None:
    write_image(domains, ONE, f"{case}_0000.nii.gz", noise(7))
    write_image(domains, OTHER, f"{other}_0000.nii.gz", noise(7))
    validated, trained = (f"c of {ONE if case == 'c' else OTHER}", f"a of {OTHER if case == 'c' else ONE}")
    with pytest.raises(ValueError, match=f"fold 0: {validated} is validated, {trained} trained on.*splits_final.json"):
        create()
    assert not list((domains / "nnUNet_preprocessed").glob("*500*"))


@pytest.mark.parametrize("case", ["a", "c"])
def test_what_is_on_the_same_side_in_both_is_kept_in_mind(domains: Path, case: str) -> None:
    for dataset in (ONE, OTHER):
        write_image(domains, dataset, f"{case}_0000.nii.gz", noise(7))
    create()
    assert read_run("Dataset500_Universal").shared_images == [[[ONE, case], [OTHER, case]]]


def test_folds_that_change_afterwards_are_looked_at_when_a_training_starts(domains: Path) -> None:
    for dataset in (ONE, OTHER):
        write_image(domains, dataset, "a_0000.nii.gz", noise(7))
    run = create()
    make_trainer(run, f"{UNIVERSAL}_demo_1epochs")
    splits = [{"train": ["b", "c"], "val": ["a"]}]
    (domains / "nnUNet_preprocessed" / OTHER / "splits_final.json").write_text(json.dumps(splits))
    with pytest.raises(ValueError, match=f"fold 0: a of {OTHER} is validated, a of {ONE} trained on"):
        make_trainer(run, f"{UNIVERSAL}_demo_1epochs")
    plans = json.loads((run / "nnUNetPlans.json").read_text()) | {"continue_training": False}
    description, device = json.loads((run / "dataset.json").read_text()), torch.device("cpu")
    everything = trainer_class(f"{UNIVERSAL}_demo_1epochs")(plans, "test", "all", description, device)
    assert everything.fold == "all", "which is validated on what it trained on, and says so"


def test_a_run_from_before_the_images_were_compared_goes_on(domains: Path) -> None:
    path = create() / "domains.json"
    content = json.loads(path.read_text())
    del content["shared_images"]
    path.write_text(json.dumps(content))
    assert make_trainer(path.parent, f"{UNIVERSAL}_demo_1epochs").run.shared_images == ()


@pytest.mark.parametrize(
    "name",
    ["a_0000.nii.gz", "a_0000.nii", "a_0001.nii.gz", "a_0000.nrrd"],
    ids=["as it is", "without compression", "another channel", "another format"],
)
def test_the_same_voxels_are_the_same_image_however_they_are_stored(domains: Path, name: str) -> None:
    write_image(domains, ONE, "c_0000.nii.gz", noise(7))
    write_image(domains, OTHER, name, noise(7).astype(np.float32))
    ending = name.partition("_")[2][4:]
    found, unseen = shared_images({ONE: DESCRIPTION, OTHER: DESCRIPTION | {"file_ending": ending}})
    assert (found, unseen) == ([[(ONE, "c"), (OTHER, "a")]], [])


def test_another_voxel_or_spacing_is_another_image_and_an_empty_one_is_none(domains: Path) -> None:
    changed = noise(7)
    changed[0, 0, 0] += 1
    for dataset, spacing, voxels in ((ONE, 1.0, noise(7)), (OTHER, 1.0, changed), (OTHER, 2.0, noise(7))):
        write_image(domains, dataset, f"a_000{spacing:g}.nii.gz", voxels, spacing)
    for dataset in (ONE, OTHER):
        write_image(domains, dataset, "b_0000.nii.gz", np.zeros(SHAPE, np.int16))
    assert shared_images({ONE: DESCRIPTION, OTHER: DESCRIPTION}) == ([], [])


@pytest.mark.parametrize(("spacing", "found"), [(0.685, True), (0.684999, True), (0.6851, True), (0.7, False)])
def test_a_spacing_that_a_format_rounds_is_the_same(domains: Path, spacing: float, found: bool) -> None:
    write_image(domains, ONE, "c_0000.nii.gz", noise(7), 0.685)
    write_image(domains, OTHER, "a_0000.nii.gz", noise(7), spacing)
    assert bool(shared_images({ONE: DESCRIPTION, OTHER: DESCRIPTION})[0]) == found


def test_images_that_dataset_json_lists_are_found(domains: Path) -> None:
    path = write_image(domains, ONE, "c_0000.nii.gz", noise(7))
    listed = DESCRIPTION | {"dataset": {"x": {"images": [str(path)], "label": "l.nii.gz"}}}
    assert shared_images({ONE: DESCRIPTION, OTHER: listed}) == ([[(ONE, "c"), (OTHER, "x")]], [])


def test_data_sets_without_images_are_named(make_domain: Make, capsys: pytest.CaptureFixture) -> None:
    folder = make_domain(11, SHALLOW)
    make_domain(12, SHALLOW)
    write_image(folder.parents[1], ONE, "a_0000.nii.gz", noise(7))
    create()
    assert f"perhaps shared between training and validation: the images of {OTHER}." in capsys.readouterr().out


def test_without_a_file_the_folds_are_those_that_nnunet_will_draw(domains: Path) -> None:
    (domains / "nnUNet_preprocessed" / ONE / "splits_final.json").unlink()
    cases = [f"case_{number}" for number in range(10)]
    splits = splits_of(ONE, cases)
    assert [sorted(fold["train"] + fold["val"]) for fold in splits] == [cases] * 5
    assert splits_of(ONE, cases[:4]) == []
    in_all = [[(ONE, case), (OTHER, case)] for case in cases]
    require_no_leak(in_all, {ONE: splits, OTHER: splits}, {ONE, OTHER})
    moved = [*splits[1:], splits[0]]
    with pytest.raises(ValueError, match="and 17 more"):
        require_no_leak(in_all, {ONE: splits, OTHER: moved}, {ONE, OTHER})
    require_no_leak(in_all, {ONE: splits, OTHER: moved}, set())


def test_a_new_domain_is_not_validated_on_what_the_run_has_seen(domains: Path) -> None:
    """The other way round is no leak: adapting leaves the old domains' weights as they are."""
    new = OTHER, DESCRIPTION, CASES
    old = {ONE: {"dataset_json": DESCRIPTION}}
    require_unseen(*new, old, 0)
    write_image(domains, ONE, "c_0000.nii.gz", noise(7))
    write_image(domains, OTHER, "a_0000.nii.gz", noise(7))
    require_unseen(*new, old, 0)
    write_image(domains, OTHER, "c_0000.nii.gz", noise(8))
    write_image(domains, ONE, "b_0000.nii.gz", noise(8))
    with pytest.raises(ValueError, match=f"fold 0: c of {OTHER} is validated, b of {ONE} trained on"):
        require_unseen(*new, old, 0)
    require_unseen(*new, old, 1)
    require_unseen(*new, old, "all")


@pytest.mark.slow
def test_neither_the_command_nor_nnunets_own_adapts_to_what_was_seen(domains: Path, make_domain: Make) -> None:
    train(create())
    folder = make_domain(21, SHALLOW, classes=4, channels=2)
    write_image(domains, folder.name, "c_0000.nii.gz", noise(1100))  # that of case a of the first domain
    message = f"fold 0: c of {folder.name} is validated, a of {ONE} trained on"
    with pytest.raises(ValueError, match=message):
        adaptation(500, "21", 0, "test", "nnUNetPlans", None)
    with pytest.raises(ValueError, match=message):
        make_trainer(folder, "nnUNetTrainerU2Net_adapt500_demo_1epochs")
