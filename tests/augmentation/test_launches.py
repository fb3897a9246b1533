"""A GPU gets as many kernels for 16 samples as for 4, counted on fake CUDA tensors, which need no GPU."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._pytree import tree_leaves

from nnunet_skipx.augmentation import pipeline as pipeline_module
from nnunet_skipx.augmentation import spatial
from nnunet_skipx.augmentation.batch import Batch
from nnunet_skipx.augmentation.pipeline import STEPS, DeviceAugmentation
from tests.augmentation.test_no_waiting import LISTS, Waits, without_generator
from tests.augmentation.test_parity import CPU, SETTINGS, always, pipeline

LAUNCH_NOTHING = {"aten.empty", "aten.new_empty", "aten.empty_like", "aten.empty_strided", "aten._unsafe_view"}
DIFFERENT = 2  # samples; the others repeat what these drew
MOST = {"volumes": 230, "regions": 235, "a cascade": 595}  # of a list of which every sample gets everything


class Launches(Waits):
    """Counts the operations that start a kernel or a copy on the device."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        on_device = any(isinstance(x, torch.Tensor) and x.is_cuda for x in tree_leaves(result))
        aliases = [returned.alias_info for returned in func._schema.returns]
        is_view = any(alias is not None and not alias.is_write for alias in aliases)
        if on_device and not is_view and str(func.overloadpacket) not in LAUNCH_NOTHING:
            self.counts[str(func.overloadpacket)] += 1
        return result


@pytest.fixture(autouse=True)
def draws_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a batch draws does not depend on its size, and is drawn on the host, where nothing is fake."""
    few, many = pipeline_module.chosen, spatial.draw

    def chosen(transform: Any, probability: float, batch: Batch) -> list:
        with unset_fake_temporarily():
            drawn = [parameters for _, parameters in few(transform, probability, small(batch))]
        return [(sample, drawn[sample % DIFFERENT]) for sample in range(len(batch.image))]

    def draw(transform: Any, batch: Batch) -> list:
        with unset_fake_temporarily():
            return many(transform, small(batch)) * (len(batch.image) // DIFFERENT)

    monkeypatch.setattr(pipeline_module, "chosen", chosen)
    monkeypatch.setattr(spatial, "draw", draw)
    monkeypatch.setattr(torch, "randn", without_generator(torch.randn))
    monkeypatch.setattr(torch, "rand", without_generator(torch.rand))


def small(batch: Batch) -> Batch:
    return Batch(torch.zeros(()).expand(DIFFERENT, *batch.image.shape[1:]), None, torch.Generator())


def launches(samples: int, name: str, content: dict[str, Any], elastic: bool = False) -> Counter[str]:
    """Of a batch of which every sample gets every transform of the list."""
    setting = SETTINGS[name]
    augmentation = DeviceAugmentation(pipeline(setting, **content), 0, CPU, elastic)
    augmentation.transforms = [(transform, 1.0) for transform, _ in augmentation.transforms]
    for transform, _ in augmentation.transforms:
        if isinstance(transform, SpatialTransform):
            transform.p_rotation = 1
    augmentation.draws.noise = SimpleNamespace(device=torch.device("cuda"))  # a real one needs a GPU
    with FakeTensorMode(allow_non_fake_inputs=True), Launches() as found:
        image = torch.empty(samples, 2, *setting["larger"], device="cuda")
        target = torch.empty(
            samples, 1 + ("is_cascaded" in content), *setting["larger"], dtype=torch.int16, device="cuda"
        )
        augmentation(image, target)
    return found.counts


@pytest.mark.parametrize("content", LISTS)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_larger_batch_launches_no_more_kernels(name: str, content: str) -> None:
    few, many = (launches(samples, name, LISTS[content]) for samples in (4, 16))
    assert few == many
    assert many.total() <= MOST[content], f"{many.most_common(12)}: raise the number if each is needed"


def test_elastic_deformation_launches_no_more_for_more_samples_either() -> None:
    assert launches(4, "3d", {}, elastic=True) == launches(16, "3d", {}, elastic=True)


DRAWING = [type(always(t)) for t in pipeline(SETTINGS["3d"]).transforms if isinstance(t, RandomTransform)]


@pytest.mark.parametrize("kind", [*dict.fromkeys(DRAWING), MirrorTransform], ids=lambda kind: kind.__name__)
def test_a_step_sample_by_sample_is_seen(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    step = STEPS[kind]

    def by_sample(transform: Any, batch: Batch, chosen: list) -> None:
        for one in chosen:
            step(transform, batch, [one])

    monkeypatch.setitem(STEPS, kind, by_sample)
    assert launches(4, "2d", {}).total() < launches(16, "2d", {}).total()


@pytest.mark.slow
def test_a_resampling_sample_by_sample_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spatial, "at_once", lambda patches: 1)
    assert launches(4, "2d", {}).total() < launches(16, "2d", {}).total()
