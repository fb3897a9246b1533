"""Patches of one to three voxels along an axis, as nnU-Net plans them for volumes of few slices."""

from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from hypothesis import given
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch.nn import functional as F

from nnunet_skipx.augmentation.batch import Batch
from nnunet_skipx.augmentation.blur import blur, kernels
from nnunet_skipx.augmentation.pipeline import STEPS, DeviceAugmentation
from tests.augmentation.test_parity import always, pipeline

THIN = st.integers(1, 3)
PATCHES = st.one_of(
    st.tuples(THIN, st.just(12), st.just(10)),
    st.tuples(st.just(12), THIN, st.just(10)),
    st.tuples(THIN, THIN, st.just(12)),
    st.tuples(THIN, st.just(12)),
)
# nnU-Net's own, and what makes the whole list of steps (`STEPS`): normalisation within a mask, regions, a cascade.
LISTS: dict[str, dict[str, Any]] = {
    "labels": {"foreground_labels": [1, 2]},
    "masked": {"foreground_labels": [1, 2], "use_mask_for_norm": [True, True]},
    "regions": {"foreground_labels": [1, 2], "regions": [(1, 2), (2,)], "ignore_label": 3},
    "cascade": {"foreground_labels": [1, 2], "is_cascaded": True},
    "dummy 2d": {"foreground_labels": [1, 2]},
}


@given(patch=PATCHES, name=st.sampled_from(sorted(LISTS)), seed=st.integers(0, 99))
def test_every_transform_takes_thin_patches(patch: tuple[int, ...], name: str, seed: int) -> None:
    dummy = name == "dummy 2d" and len(patch) == 3
    scales = [[1.0] * len(patch), [1.0 if length < 4 else 0.5 for length in patch]]  # a thin axis has no stride
    axes = tuple(range(len(patch)))
    transforms = nnUNetTrainer.get_training_transforms(patch, (-0.5, 0.5), scales, axes, dummy, **LISTS[name])
    for transform in transforms.transforms:  # each is applied to each sample
        if hasattr(transform, "apply_probability"):
            transform.apply_probability = 1.0
    augmentation = DeviceAugmentation(transforms, seed, torch.device("cpu"), elastic=seed % 2 == 1)
    torch.manual_seed(seed)
    larger = tuple(length if dummy and axis == 0 else length + 3 for axis, length in enumerate(patch))
    labels = torch.randint(0, 3, (2, 2 if name == "cascade" else 1, *larger)).short()
    image, target = augmentation(torch.randn(2, 2, *larger), labels)
    assert image.shape[2:] == patch
    assert image.isfinite().all()
    assert target[0].shape[2:] == patch


def test_these_lists_hold_every_transform_that_runs_on_the_device() -> None:
    patch = (6, 12, 10)
    found = {
        type(always(transform))
        for name, more in LISTS.items()
        for transform in pipeline({"patch": patch, "dummy": name == "dummy 2d"}, **more).transforms
    }
    assert found >= set(STEPS)


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_thin_axis_is_blurred_as_if_it_went_on_mirrored(length: int) -> None:
    """The weights of a kernel of seven, once an image is mirrored often enough to hold them."""
    torch.manual_seed(0)
    image = torch.randn(1, 1, length, 9)
    transform = GaussianBlurTransform(1.0)
    drawn = {"apply_to_channel": torch.tensor([True]), "sigmas": [[1.0, 0.1]]}
    batch = Batch(image.clone(), None, torch.Generator())
    blur(transform, batch, [(0, drawn)])
    kernel = kernels([1.0])
    assert len(kernel[0]) == 7
    mirrored = image
    while mirrored.shape[2] < length + 2 * 3:
        reach = min(mirrored.shape[2] - 1, 3) if length > 1 else 3
        mirrored = F.pad(mirrored, [0, 0, reach, reach], mode="reflect" if length > 1 else "replicate")
    surplus = (mirrored.shape[2] - length) // 2 - 3
    mirrored = mirrored[:, :, surplus : surplus + length + 6]
    torch.testing.assert_close(batch.image, F.conv2d(mirrored, kernel.view(1, 1, 7, 1)))
