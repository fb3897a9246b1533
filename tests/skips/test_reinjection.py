"""Re-injected maps add up to one convolution over the concatenation, as nnU-Net would start it."""

import pytest
import torch
from torch import nn

from benchmarks.naive.msaunet import naive_first_convolution
from nnunet_skipx.skips.reinjection import DenseReinjection

PYRAMIDS = {
    "2d": [(16, 24), (8, 12), (4, 6)],
    "3d": [(8, 16, 16), (8, 8, 8), (4, 4, 4)],
    "2d-not-divisible": [(15, 22), (7, 11), (3, 5)],
}
CHANNELS = [4, 6, 8]


def setup(sizes: list[tuple[int, ...]], stride: int) -> tuple[list[nn.Module], DenseReinjection]:
    torch.manual_seed(0)
    conv = (nn.Conv2d, nn.Conv3d)[len(sizes[0]) - 2]
    kernel = (1, 3, 3) if len(sizes[0]) == 3 else (3, 3)
    padding = tuple(k // 2 for k in kernel)
    targets = [conv(c, 5 + k, kernel, stride, padding).double() for k, c in enumerate(CHANNELS)]
    return targets, DenseReinjection(targets, 2, CHANNELS[:-1]).double()


def pyramid(sizes: list[tuple[int, ...]]) -> list[torch.Tensor]:
    maps = zip(CHANNELS, sizes, strict=True)
    return [torch.randn(2, c, *size, dtype=torch.float64, requires_grad=True) for c, size in maps]


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("sizes", PYRAMIDS.values(), ids=PYRAMIDS.keys())
def test_equals_a_convolution_over_the_concatenation_with_all_gradients(
    sizes: list[tuple[int, ...]], stage: int
) -> None:
    targets, module = setup(sizes, stride=1)
    features = pyramid(sizes)[:stage]
    image = torch.randn(2, 2, *sizes[0], dtype=torch.float64, requires_grad=True)
    target = targets[stage - 1]
    leaves = [image, *features, *target.parameters(), *module.convs[stage - 1].parameters()]
    ours = target(features[-1]) + module(image, features)
    naive = naive_first_convolution(target, module, image, features)
    direction = torch.randn_like(naive)
    torch.testing.assert_close(ours, naive, rtol=1e-10, atol=1e-10)
    gradients = [torch.autograd.grad(y, leaves, direction) for y in (ours, naive)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("sizes", PYRAMIDS.values(), ids=PYRAMIDS.keys())
def test_what_is_added_has_the_shape_of_a_strided_convolutions_output(sizes: list[tuple[int, ...]]) -> None:
    targets, module = setup(sizes, stride=2)
    features = pyramid(sizes)
    image = torch.randn(2, 2, *sizes[0], dtype=torch.float64)
    for stage, target in enumerate(targets, start=1):
        assert module(image, features[:stage]).shape == target(features[stage - 1]).shape


def test_a_stages_own_input_is_not_reinjected() -> None:
    _, module = setup(PYRAMIDS["2d"], stride=2)
    features = pyramid(PYRAMIDS["2d"])
    image = torch.randn(2, 2, 16, 24, dtype=torch.float64)
    changed = [*features[:-1], torch.randn_like(features[-1])]
    torch.testing.assert_close(module(image, features), module(image, changed))
    changed = [torch.randn_like(features[0]), *features[1:]]
    assert not torch.allclose(module(image, features), module(image, changed))


def test_antialiasing_is_done_when_asked_for() -> None:
    targets, plain = setup(PYRAMIDS["2d"], stride=2)
    smooth = DenseReinjection(targets, 2, CHANNELS[:-1], antialias=True).double()
    smooth.load_state_dict(plain.state_dict())
    image = torch.zeros(1, 2, 16, 24, dtype=torch.float64)
    image[..., ::4, ::4] = 1.0  # plain reduction by 4 ignores the first and last voxel of four
    features = [torch.zeros(1, 4, 16, 24).double(), torch.zeros(1, 6, 8, 12).double()]
    assert plain(image, features).abs().max() == 0
    assert smooth(image, features).abs().max() > 0


def test_starts_as_nnunet_starts_a_convolution_over_the_whole_concatenation() -> None:
    torch.manual_seed(0)
    target = nn.Conv2d(64, 256, 3, padding=1)
    conv = DenseReinjection([target], 64, [])
    weight = conv.convs[0].weight
    whole = nn.Conv2d(128, 256, 3)
    nn.init.kaiming_normal_(whole.weight, a=1e-2)
    assert weight.std().item() == pytest.approx(whole.weight.std().item(), rel=0.02)
    assert conv.convs[0].bias is None


def test_half_precision_maps_are_not_widened_by_the_image() -> None:
    _, module = setup(PYRAMIDS["2d"], stride=2)
    features = [x.detach().bfloat16() for x in pyramid(PYRAMIDS["2d"])]
    seen = []
    module.convs[2].register_forward_pre_hook(lambda conv, inputs: seen.append(inputs[0].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        module.float()(torch.randn(2, 2, 16, 24), features)
    assert seen == [torch.bfloat16]


def test_the_planners_estimate_counts_every_convolution() -> None:
    _, module = setup(PYRAMIDS["2d"], stride=2)
    assert module.compute_conv_feature_map_size([(8, 12), (4, 6), (2, 3)]) == 5 * 96 + 6 * 24 + 7 * 6
