"""Over 10,000 draws, our parameters are distributed like those that batchgeneratorsv2 draws for itself."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from scipy.stats import ks_2samp, kstest

from nnunet_skipx.augmentation.batch import Batch, Draws
from nnunet_skipx.augmentation.elastic import DEVIATION, displacements, spline_weights
from nnunet_skipx.augmentation.pipeline import DeviceAugmentation, chosen
from nnunet_skipx.augmentation.spatial import draw
from tests.augmentation.test_parity import CPU, SETTINGS, pipeline

DRAWS = 10_000
BATCH = Batch(torch.zeros(()).expand(DRAWS, 2, 16, 16, 16), None, torch.Generator())


def numbers(parameters: Any) -> Iterable[float]:
    """All numbers in what a transform drew."""
    if isinstance(parameters, dict):
        parameters = parameters.values()
    if isinstance(parameters, torch.Tensor | np.ndarray):
        parameters = parameters.ravel().tolist()
    if isinstance(parameters, int | float | np.number):
        yield float(parameters)
    elif isinstance(parameters, Iterable) and not isinstance(parameters, str):
        for part in parameters:
            yield from numbers(part)


def columns(drawn: list[Any]) -> dict[int, list[float]]:
    """The first, second ... number of every draw; draws differ in how many they have."""
    found: dict[int, list[float]] = {}
    for parameters in drawn:
        for place, number in enumerate(numbers(parameters)):
            found.setdefault(place, []).append(number)
    return found


def theirs(transform: BasicTransform, probability: float) -> list[Any]:
    """As batchgeneratorsv2 draws, from the global generators."""
    np.random.seed(77)
    torch.manual_seed(77)
    image = BATCH.stand_in()
    return [transform.get_parameters(image=image) for _ in range(DRAWS) if torch.rand(1).item() < probability]


def drawing_transforms() -> list[Any]:
    augmentation = DeviceAugmentation(pipeline(SETTINGS["3d"]), 3, CPU)
    return [
        pytest.param(i, id=f"{i} {type(t).__name__}")
        for i, (t, _) in enumerate(augmentation.transforms)
        if "get_parameters" in vars(type(t))
    ]


@pytest.mark.parametrize("place", drawing_transforms())
def test_parameters_have_the_same_distribution(place: int) -> None:
    augmentation = DeviceAugmentation(pipeline(SETTINGS["3d"]), 3, CPU)
    transform, probability = augmentation.transforms[place]
    if isinstance(transform, SpatialTransform):
        transform.patch_size = (1, 1, 1)  # the grid would take most of the time, and nothing is drawn for it
        with augmentation.draws.drawing():
            drawn = draw(transform, BATCH)
        expected = theirs(transform, 1)
        ours, others = ([one["affine"] for one in them if one["affine"] is not None] for them in (drawn, expected))
    else:
        with augmentation.draws.drawing():
            ours = [parameters for _, parameters in chosen(transform, probability, BATCH)]
        others = theirs(transform, probability)
    assert len(ours) == pytest.approx(len(others), rel=0.1)
    ours_by_place, others_by_place = columns(ours), columns(others)
    assert ours_by_place.keys() == others_by_place.keys()
    assert ours_by_place
    for key, values in ours_by_place.items():
        assert ks_2samp(values, others_by_place[key]).pvalue > 0.01


def test_elastic_vectors_are_normal_with_the_published_deviation_at_the_grids_points() -> None:
    at_points = displacements(DRAWS // 16, (97, 33), torch.Generator().manual_seed(0))[:, ::32, ::32]
    assert kstest(at_points.flatten().numpy() / DEVIATION, "norm").pvalue > 0.01


@pytest.mark.parametrize("length", [1, 2, 20, 33, 64, 97, 128, 320])
def test_a_shift_of_all_points_shifts_all_voxels_alike(length: int) -> None:
    torch.testing.assert_close(spline_weights(length).sum(dim=1), torch.ones(length))


def test_elastic_fields_are_smooth() -> None:
    field = displacements(4, (64, 64), torch.Generator().manual_seed(0))
    assert float(field.diff(dim=1).abs().max()) < 1.0, "a patch would fold over itself"


def test_draws_of_the_device_come_from_the_generator_in_the_checkpoint() -> None:
    draws = Draws(5, CPU)
    state = draws.state_dict()
    first = displacements(1, (8, 8), draws.noise)
    assert not torch.equal(first, displacements(1, (8, 8), draws.noise))
    draws.load_state_dict(state)
    assert torch.equal(first, displacements(1, (8, 8), draws.noise))
