"""What only cascades do: one-hot channels, disturbed like batchgeneratorsv2 does, on any device."""

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.nnunet.random_binary_operator import ApplyRandomBinaryOperatorTransform
from batchgeneratorsv2.transforms.nnunet.remove_connected_components import (
    RemoveRandomConnectedComponentFromOneHotEncodingTransform,
)
from batchgeneratorsv2.transforms.nnunet.seg_to_onehot import MoveSegAsOneHotToDataTransform
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label

from nnunet_skipx.augmentation import components
from nnunet_skipx.augmentation.batch import Batch, Draws
from nnunet_skipx.augmentation.cascade import binary_operators, one_component, one_hot, remove_component
from nnunet_skipx.augmentation.components import component_roots
from nnunet_skipx.augmentation.pipeline import DeviceAugmentation
from tests.augmentation.test_parity import CPU, SETTINGS, blobs, pipeline

FOREGROUND = [1, 2, 3]


def two_stages(shape: tuple[int, ...], seed: int = 0) -> Batch:
    """A batch whose target holds the previous stage's labels as a second channel."""
    image, labels = blobs(shape, np.random.default_rng(seed))
    _, previous = blobs(shape, np.random.default_rng(seed + 100))
    return Batch(image, torch.cat([labels, previous.clamp(min=0)], dim=1), torch.Generator().manual_seed(seed))


def in_channels(shape: tuple[int, ...]) -> Batch:
    """The same with the previous stage's labels as the image's last three channels."""
    batch = two_stages(shape)
    one_hot(MoveSegAsOneHotToDataTransform(1, FOREGROUND), batch, [])
    return batch


@pytest.mark.parametrize("shape", [(12, 14, 10), (20, 18)], ids=["3d", "2d"])
def test_one_hot_channels_are_those_of_batchgenerators(shape: tuple[int, ...]) -> None:
    batch, transform = two_stages(shape), MoveSegAsOneHotToDataTransform(1, FOREGROUND)
    samples = [{"image": i.clone(), "segmentation": t.clone()} for i, t in zip(batch.image, batch.target, strict=True)]
    one_hot(transform, batch, [])
    for sample, data in enumerate(samples):
        expected = transform.apply(data)
        assert torch.equal(batch.image[sample], expected["image"])
        assert torch.equal(batch.target[sample], expected["segmentation"])


@pytest.mark.parametrize("shape", [(12, 14, 10), (20, 18)], ids=["3d", "2d"])
def test_binary_operators_do_what_batchgenerators_does(shape: tuple[int, ...]) -> None:
    batch = in_channels(shape)
    before = batch.image.clone()
    transform = ApplyRandomBinaryOperatorTransform([-3, -2, -1], strel_size=(1, 4), p_per_label=0.8)
    with Draws(2, CPU).drawing():
        chosen = [(sample, transform.get_parameters(image=batch.stand_in())) for sample in (0, 1, 3)]
    assert len({operator for _, drawn in chosen for operator in drawn["operators"]}) > 2
    binary_operators(transform, batch, chosen)
    for sample in range(len(before)):
        drawn = dict(chosen).get(sample)
        expected = before[sample] if drawn is None else transform._apply_to_image(before[sample].clone(), **drawn)
        assert torch.equal(batch.image[sample], expected)
    assert (batch.image[:, -3:].sum(dim=1) <= 1).all(), "a voxel has two labels"


def check_roots(mask: np.ndarray) -> None:
    """One number per component, another for every component, -1 outside."""
    roots = component_roots(torch.from_numpy(mask)[None])[0].numpy()
    true = label(mask)
    pairs = set(zip(true[mask].tolist(), roots[mask].tolist(), strict=True))
    assert len(pairs) == true.max() == len({root for _, root in pairs})
    assert (roots[~mask] == -1).all()


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.lists(st.integers(1, 12), min_size=2, max_size=3))
def test_components_are_those_of_scikit_image(seed: int, share: float, shape: list[int]) -> None:
    check_roots(np.random.default_rng(seed).random(shape) < share)


def snake(length: int) -> np.ndarray:
    """One component that winds through the whole image, back and forth."""
    image = np.zeros((length, length), bool)
    image[::2] = True
    for row in range(1, length, 2):
        image[row, -1 if row % 4 == 1 else 0] = True
    return image


@pytest.mark.parametrize("turns", range(4))
def test_the_rounds_that_a_gpu_does_unasked_are_enough_for_the_longest_way(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "stable", lambda before, after: False)
    check_roots(np.rot90(snake(61), turns).copy())


def three_cubes() -> torch.Tensor:
    """Two small components and a large one."""
    mask = torch.zeros((10, 10, 20), dtype=torch.bool)
    mask[:2, :2, :2] = mask[5:8, 5:8, :3] = mask[:, :, 8:16] = True
    return mask


def test_each_component_that_is_not_large_is_as_likely_as_another() -> None:
    masks = three_cubes().repeat(400, 1, 1, 1)
    lots = torch.rand(400, masks[0].numel(), generator=torch.Generator().manual_seed(0))
    drawn = one_component(masks, 0.15, lots).flatten(1).sum(1).tolist()
    assert set(drawn) == {8, 27}
    assert drawn.count(8) == pytest.approx(200, abs=50)
    assert not one_component(masks, 0.001, lots).any()
    assert not one_component(torch.zeros_like(masks), 0.15, lots).any()


def test_a_removed_component_is_removed_whole_and_from_its_channel_alone() -> None:
    batch = in_channels((12, 14, 10))
    before = batch.image.clone()
    transform = RemoveRandomConnectedComponentFromOneHotEncodingTransform([-3, -2, -1], 0, 0.15, 0.5)
    remove_component(transform, batch, [(1, {"apply_to_channels": [-2]})])
    changed = batch.image != before
    assert changed[1, -2].any()
    assert int(changed.sum()) == int(changed[1, -2].sum())
    removed, components_there = changed[1, -2].numpy(), label(before[1, -2].numpy() > 0)
    (number,) = set(components_there[removed].tolist())
    assert np.array_equal(removed, components_there == number)


def test_another_class_in_place_of_the_component_is_refused() -> None:
    transform = RemoveRandomConnectedComponentFromOneHotEncodingTransform([-1], fill_with_other_class_p=0.5)
    with pytest.raises(NotImplementedError, match="without _gpuaug"):
        remove_component(transform, in_channels((12, 14, 10)), [])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_cascades_whole_list_gives_the_shapes_and_types_of_nnunets(name: str) -> None:
    setting = SETTINGS[name]
    transforms = pipeline(setting, is_cascaded=True, foreground_labels=FOREGROUND)
    batch = two_stages(setting["larger"])
    out, targets = DeviceAugmentation(transforms, 0, CPU)(batch.image.clone(), batch.target.clone())
    sample = transforms(image=batch.image[0].clone(), segmentation=batch.target[0].clone())
    assert out.shape[1:] == sample["image"].shape
    assert [(t.shape[1:], t.dtype) for t in targets] == [(t.shape, t.dtype) for t in sample["segmentation"]]
    assert set(out[:, 2:].unique().tolist()) <= {0.0, 1.0}
    assert (out[:, 2:].sum(dim=1) <= 1).all()


def test_a_transform_that_nnunet_does_not_use_is_refused_by_name() -> None:
    class Stranger(BasicTransform):
        pass

    transforms = pipeline(SETTINGS["3d"])
    transforms.transforms.append(Stranger())
    with pytest.raises(NotImplementedError, match=r"Stranger does not run on the device: .* without _gpuaug"):
        DeviceAugmentation(transforms, 0, CPU)
