"""With the same draws, a batch on the device comes out as batchgeneratorsv2 brings it out sample by sample."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.augmentation.batch import Batch, Draws
from nnunet_skipx.augmentation.elastic import displacements
from nnunet_skipx.augmentation.pipeline import STEPS, DeviceAugmentation, chosen
from nnunet_skipx.augmentation.spatial import draw, resample

CPU = torch.device("cpu")
SETTINGS = {
    "3d": {"patch": (16, 20, 18), "larger": (24, 26, 23), "dummy": False},
    "2d": {"patch": (24, 20), "larger": (33, 30), "dummy": False},
    "dummy 2d": {"patch": (6, 24, 20), "larger": (6, 33, 30), "dummy": True},
}
Setting = dict[str, Any]


def blobs(shape: tuple[int, ...], rng: np.random.Generator, samples: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (B, 2, *shape) of unit scale, and labels (B, 1, *shape) of -1 to 3 in coherent blocks."""
    image = torch.from_numpy(rng.normal(size=(samples, 2, *shape)).astype(np.float32))
    coarse = rng.integers(0, 4, size=(samples, 1, *[max(2, n // 5) for n in shape])).astype(np.float32)
    labels = torch.nn.functional.interpolate(torch.from_numpy(coarse), shape, mode="nearest").to(torch.int16)
    labels[..., -2:] = -1
    return image, labels


def pipeline(setting: Setting, **more: Any) -> ComposeTransforms:
    """nnU-Net's own training transforms."""
    scales = [[1.0] * len(setting["patch"]), [0.5] * len(setting["patch"])]
    return nnUNetTrainer.get_training_transforms(
        setting["patch"], (-0.5, 0.5), scales, tuple(range(len(setting["patch"]))), setting["dummy"], **more
    )


def always(transform: BasicTransform) -> BasicTransform:
    """The transform, applied to every sample."""
    return transform.transform if isinstance(transform, RandomTransform) else transform


class TestSpatial:
    @pytest.mark.parametrize("name", ["3d", "2d"])
    @pytest.mark.parametrize("seed", range(3))
    def test_images_and_labels_are_those_of_batchgenerators(self, name: str, seed: int) -> None:
        setting = SETTINGS[name]
        transform = SpatialTransform(
            setting["patch"],
            0,
            random_crop=False,
            p_rotation=0.4,
            rotation=(-0.6, 0.6),
            p_scaling=0.4,
            scaling=(0.7, 1.4),
            p_synchronize_scaling_across_axes=0,
            border_mode_seg="constant",
            padding_value_seg=-1,
        )
        image, labels = blobs(setting["larger"], np.random.default_rng(seed), 12)
        batch = Batch(image.clone(), labels.clone(), torch.Generator())
        drawn = drawn_with(seed, transform, batch)
        assert {parameters["affine"] is None for parameters in drawn} == {True, False}
        resample(transform, batch, drawn)
        for sample, parameters in enumerate(drawn):
            parameters = with_grid(transform, parameters, setting["larger"])
            expected = transform._apply_to_image(image[sample], **parameters)
            torch.testing.assert_close(batch.image[sample], expected, atol=1e-4, rtol=0)
            true = transform._apply_to_segmentation(labels[sample], **parameters)
            assert (batch.target[sample] == true).float().mean() >= 0.999
        assert set(batch.target.unique().tolist()) <= set(labels.unique().tolist())

    @pytest.mark.parametrize("name", ["3d", "2d"])
    def test_elastic_deformation_comes_before_rotation_and_scaling_in_the_same_resampling(self, name: str) -> None:
        setting = SETTINGS[name]
        transform = SpatialTransform(
            setting["patch"],
            0,
            random_crop=False,
            p_rotation=0.3,
            rotation=(-0.6, 0.6),
            p_scaling=0.3,
            border_mode_seg="constant",
            padding_value_seg=-1,
        )
        image, labels = blobs(setting["larger"], np.random.default_rng(0), 12)
        batch = Batch(image.clone(), labels.clone(), torch.Generator().manual_seed(0))
        shifts = displacements(12, setting["patch"], batch.noise)
        drawn = drawn_with(1, transform, batch)
        assert {parameters["affine"] is None for parameters in drawn} == {True, False}
        resample(transform, batch, drawn, shifts)
        for sample, parameters in enumerate(drawn):
            parameters = with_grid(transform, parameters, setting["larger"], shifts[sample])
            expected = transform._apply_to_image(image[sample], **parameters)
            torch.testing.assert_close(batch.image[sample], expected, atol=1e-4, rtol=0)
            true = transform._apply_to_segmentation(labels[sample], **parameters)
            assert (batch.target[sample] == true).float().mean() >= 0.999

    def test_nothing_that_is_never_drawn_costs_a_resampling(self) -> None:
        transform = SpatialTransform((8, 8), 0, random_crop=False, border_mode_seg="constant", padding_value_seg=-1)
        image, labels = blobs((11, 12), np.random.default_rng(0))
        batch = Batch(image, labels, torch.Generator())
        resample(transform, batch, drawn_with(0, transform, batch))
        assert torch.equal(batch.image, image[..., 1:9, 2:10])
        assert torch.equal(batch.target, labels[..., 1:9, 2:10])

    def test_settings_that_nnunet_does_not_use_are_refused(self) -> None:
        transform = SpatialTransform((8, 8), 0, random_crop=False, p_elastic_deform=0.2)
        batch = Batch(*blobs((11, 12), np.random.default_rng(0)), torch.Generator())
        with pytest.raises(NotImplementedError, match=r"another p_elastic_deform than nnU-Net's .* without _gpuaug"):
            drawn_with(0, transform, batch)


def drawn_with(seed: int, transform: SpatialTransform, batch: Batch) -> list[dict]:
    """What the transform draws for each sample."""
    with Draws(seed, CPU).drawing():
        return draw(transform, batch)


def with_grid(
    transform: SpatialTransform, parameters: dict, shape: tuple[int, ...], offsets: torch.Tensor | None = None
) -> dict:
    """The parameters with the sampling grid that batchgeneratorsv2 builds for the affine and elastic offsets."""
    if parameters["affine"] is None and offsets is None:
        return parameters | {"grid": None}
    grid = transform._get_base_grid_clone()
    if offsets is not None:
        grid += offsets
    if parameters["affine"] is not None:
        grid = grid @ torch.from_numpy(parameters["affine"].T).float()
    centre = parameters["center_location_in_pixels"]
    grid += torch.tensor([c - s / 2 for c, s in zip(centre, shape, strict=True)])
    return parameters | {"grid": torch.flip(grid / (torch.tensor(shape) / 2), (-1,))}


def steps_of_nnunet() -> list[tuple[str, BasicTransform]]:
    """Every transform that only needs a patch, from nnU-Net's own list."""
    found = [always(t) for t in pipeline(SETTINGS["3d"], use_mask_for_norm=[True, False]).transforms]
    found += [always(t) for t in pipeline(SETTINGS["3d"], regions=[(1, 2), 2], ignore_label=3).transforms]
    names = {f"{type(t).__name__} {getattr(t, 'p_invert_image', '')}".strip(): t for t in found if type(t) in STEPS}
    return list(names.items())


@pytest.mark.parametrize(("name", "transform"), steps_of_nnunet(), ids=[name for name, _ in steps_of_nnunet()])
@pytest.mark.parametrize("shape", [(12, 14, 10), (20, 18)], ids=["3d", "2d"])
def test_a_step_does_to_a_batch_what_the_transform_does_to_samples(
    name: str, transform: BasicTransform, shape: tuple[int, ...]
) -> None:
    if len(shape) == 2 and (name.startswith(("Downsample", "Mirror")) or hasattr(transform, "upmodes")):
        transform = copy.copy(transform)
        transform.__dict__.update(ds_scales=[[1.0, 1.0], [0.5, 0.5]], allowed_axes=(0, 1))
    image, labels = blobs(shape, np.random.default_rng(1))
    batch = Batch(image.clone(), labels.clone(), torch.Generator().manual_seed(5))
    with Draws(3, CPU).drawing():
        drawn = [(sample, transform.get_parameters(image=batch.stand_in())) for sample in (0, 2, 3)]
    STEPS[type(transform)](transform, batch, drawn)
    if isinstance(transform, GaussianNoiseTransform):
        return check_noise(batch.image - image, [parameters["sigmas"] for _, parameters in drawn])
    applies_to_all = not any(parameters for _, parameters in drawn)
    for sample in range(len(image)):
        data = {"image": image[sample].clone(), "segmentation": labels[sample].clone()}
        parameters = dict(drawn).get(sample)
        if parameters is not None or applies_to_all:
            data = transform.apply(data, **(parameters or {}))
        torch.testing.assert_close(batch.image[sample], data["image"], atol=1e-4, rtol=0)
        target = [t[sample] for t in batch.target] if isinstance(batch.target, list) else batch.target[sample]
        torch.testing.assert_close(target, data["segmentation"], atol=0, rtol=0)


def check_noise(added: torch.Tensor, deviations: list[float]) -> None:
    """Every chosen sample got noise of its own deviation, the other none."""
    assert not added[1].any()
    for sample, deviation in zip((0, 2, 3), deviations, strict=True):
        assert float(added[sample].std()) == pytest.approx(deviation, rel=0.1)
        assert not torch.equal(added[sample][0], added[sample][1])


class TestPipeline:
    @pytest.mark.parametrize("name", SETTINGS)
    def test_a_batch_has_the_shapes_types_and_labels_of_nnunets(self, name: str) -> None:
        setting = SETTINGS[name]
        transforms = pipeline(setting, use_mask_for_norm=[True, False])
        image, labels = blobs(setting["larger"], np.random.default_rng(0))
        out, targets = DeviceAugmentation(transforms, 0, CPU)(image.clone(), labels.clone())
        sample = transforms(image=image[0].clone(), segmentation=labels[0].clone())
        assert out.shape[1:] == sample["image"].shape
        assert out.dtype == sample["image"].dtype
        assert [(t.shape[1:], t.dtype) for t in targets] == [(t.shape, t.dtype) for t in sample["segmentation"]]
        assert out.isfinite().all()
        assert set(targets[0].unique().tolist()) <= {0, 1, 2, 3}

    def test_regions_come_out_as_booleans(self) -> None:
        setting = SETTINGS["3d"]
        transforms = pipeline(setting, regions=[(1, 2, 3), (3,)])
        out = DeviceAugmentation(transforms, 0, CPU)(*blobs(setting["larger"], np.random.default_rng(0)))[1]
        assert [t.dtype for t in out] == [torch.bool, torch.bool]
        assert out[0].shape[1] == 2
        assert bool((out[0][:, 1] <= out[0][:, 0]).all())


class TestDraws:
    def test_what_is_drawn_is_what_batchgenerators_draws_from_the_same_state(self) -> None:
        transform = pipeline(SETTINGS["3d"]).transforms[0]
        batch = Batch(*blobs(SETTINGS["3d"]["larger"], np.random.default_rng(0), 50), torch.Generator())
        ours = drawn_with(4, transform, batch)
        with Draws(4, CPU).drawing():
            theirs = [transform.get_parameters(image=image) for image in batch.image]
        for our, their in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(our["affine"], their["affine"])
            assert our["center_location_in_pixels"] == their["center_location_in_pixels"]

    def test_every_transform_is_applied_as_often_as_nnunet_says(self) -> None:
        augmentation = DeviceAugmentation(pipeline(SETTINGS["3d"]), 0, CPU)
        batch = Batch(torch.zeros(()).expand(4000, 1, 2, 2, 2), None, torch.Generator())
        torch.manual_seed(0)
        for transform, probability in augmentation.transforms:
            if type(transform) in STEPS:
                share = len(chosen(transform, probability, batch)) / 4000
                assert share == pytest.approx(probability, abs=0.03)

    def run(self, augmentation: DeviceAugmentation) -> torch.Tensor:
        return augmentation(*blobs(SETTINGS["3d"]["larger"], np.random.default_rng(0)))[0]

    def make(self, seed: int) -> DeviceAugmentation:
        return DeviceAugmentation(pipeline(SETTINGS["3d"]), seed, CPU)

    def test_a_seed_repeats_itself_and_another_does_not(self) -> None:
        first, same, other = self.make(1), self.make(1), self.make(2)
        assert torch.equal(self.run(first), self.run(same))
        assert not torch.equal(self.run(first), self.run(other))

    def test_a_saved_state_goes_on_where_it_was(self) -> None:
        first, second = self.make(1), self.make(9)
        self.run(first)
        second.draws.load_state_dict(first.draws.state_dict())
        assert torch.equal(self.run(first), self.run(second))
        ours, theirs = (torch.rand(3, generator=augmentation.draws.noise) for augmentation in (first, second))
        assert torch.equal(ours, theirs)

    def test_the_global_generators_are_left_alone(self) -> None:
        np.random.seed(0)
        torch.manual_seed(0)
        expected = np.random.random(), torch.rand(1)
        np.random.seed(0)
        torch.manual_seed(0)
        self.run(self.make(1))
        assert (np.random.random(), torch.rand(1)) == expected
