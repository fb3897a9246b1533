"""Samples side by side: what only some of them drew, numbers that differ between them, the route that a GPU takes."""

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform

from benchmarks.augmentation_speed import Work
from nnunet_skipx.augmentation.batch import Batch, Draws
from nnunet_skipx.augmentation.labels import Prepared, Sampler
from nnunet_skipx.augmentation.pipeline import STEPS, DeviceAugmentation
from tests.augmentation import test_parity
from tests.augmentation.test_parity import CPU, blobs

SHAPES = {"3d": (12, 14, 10), "2d": (20, 18)}
TRANSFORMS = [
    GammaTransform((0.7, 1.5), p_invert_image=0.5, synchronize_channels=False, p_per_channel=0.7, p_retain_stats=0.5),
    ContrastTransform((0.75, 1.25), preserve_range=False, synchronize_channels=False, p_per_channel=0.7),
    ContrastTransform((0.75, 1.25), preserve_range=True, synchronize_channels=True, p_per_channel=0.7),
    MultiplicativeBrightnessTransform((0.7, 1.3), synchronize_channels=False, p_per_channel=0.7),
    GaussianBlurTransform((0.5, 1.5), p_per_channel=0.7),
    SimulateLowResolutionTransform(
        (0.3, 1), synchronize_channels=False, synchronize_axes=False, ignore_axes=None, p_per_channel=0.7
    ),
    SimulateLowResolutionTransform(
        (0.5, 1),
        synchronize_channels=False,
        synchronize_axes=True,
        ignore_axes=(0,),
        allowed_channels=(1,),
        p_per_channel=0.7,
    ),
    MirrorTransform((0, 1)),
]
NAMES = [f"{type(transform).__name__} {number}" for number, transform in enumerate(TRANSFORMS)]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("transform", TRANSFORMS, ids=NAMES)
def test_every_sample_gets_what_it_drew_and_the_others_stay_as_they_are(
    transform: BasicTransform, shape: tuple[int, ...]
) -> None:
    image, labels = blobs(shape, np.random.default_rng(1), 12)
    batch = Batch(image.clone(), labels.clone(), torch.Generator())
    with Draws(7, CPU).drawing():
        drawn = {sample: transform.get_parameters(image=batch.stand_in()) for sample in (0, 1, 2, 5, 6, 9, 11)}
    STEPS[type(transform)](transform, batch, list(drawn.items()))
    changed = 0
    for sample, before in enumerate(image):
        expected = before.clone()
        if sample in drawn:
            expected = transform._apply_to_image(expected, **drawn[sample])
        for channel, ours, old in zip(expected, batch.image[sample], before, strict=True):
            same = torch.equal(channel, old)
            torch.testing.assert_close(ours, channel, atol=0 if same else 1e-4, rtol=0)
            changed += not same
    assert 2 < changed < 2 * len(drawn) + 1


@pytest.mark.parametrize("transform", TRANSFORMS, ids=NAMES)
def test_nothing_drawn_is_nothing_done(transform: BasicTransform) -> None:
    image, labels = blobs((8, 8), np.random.default_rng(1))
    batch = Batch(image.clone(), labels, torch.Generator())
    STEPS[type(transform)](transform, batch, [])
    assert torch.equal(batch.image, image)


class TestVotesEverywhere(test_parity.TestSpatial):
    """The same tests of labels on the route of a GPU, which does not leave out what has one label around it."""

    @pytest.fixture(autouse=True)
    def vote_everywhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        prepared = Sampler.prepared

        def without_settled(self: Sampler, labels: torch.Tensor) -> Prepared:
            return prepared(self, labels)[0], None

        monkeypatch.setattr(Sampler, "prepared", without_settled)


@pytest.mark.parametrize("at_once", [1, 700, 20_000])
def test_parts_of_any_size_give_the_same(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnunet_skipx.augmentation.spatial.at_once", lambda image: at_once)
    for name in ("3d", "2d"):
        test_parity.TestSpatial().test_images_and_labels_are_those_of_batchgenerators(name, 0)
        test_parity.TestSpatial().test_elastic_deformation_comes_before_rotation_and_scaling_in_the_same_resampling(
            name
        )


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_channels_of_labels_are_resampled_like_single_ones(shape: tuple[int, ...], samples: int) -> None:
    labels = torch.cat([blobs(shape, np.random.default_rng(seed), samples)[1] for seed in range(3)], dim=1)
    grid = torch.rand(len(shape), samples, *shape, generator=torch.Generator().manual_seed(0)) * 2.2 - 1.1
    sampler = Sampler(labels.shape, -1, CPU)
    together = sampler.at(sampler.prepared(labels), grid.clone())
    for channel in range(3):
        alone = sampler.at(sampler.prepared(labels[:, channel : channel + 1]), grid.clone())
        assert torch.equal(together[:, channel], alone[:, 0])


@pytest.mark.parametrize("label", [-1, 0, 2])
@pytest.mark.parametrize("patch", [(24, 32), (16, 20, 12)])
def test_where_labels_meet_nowhere_there_is_nothing_to_vote_on(patch: tuple[int, ...], label: int) -> None:
    work = Work(patch, 2, 2)
    image, target = work.cropped()
    for seed in range(5):
        augmentation = DeviceAugmentation(work.transforms(), seed, CPU)
        augmentation.transforms = [(transform, 1.0) for transform, _ in augmentation.transforms]
        augmented, targets = augmentation(image.clone(), torch.full_like(target, label))
        assert augmented.isfinite().all()
        outside = {0} if label == -1 else {0, label}  # a patch may reach over the border of the image
        assert all(set(part.unique().tolist()) <= outside for part in targets)
