"""NoSkip keeps the contracts, and computes what nnU-Net's U-Net computes of skips that are zero, without the zeros."""

import functools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights

from nnunet_skipx.architectures.noskip import NoSkip
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.inspection.ablation import encoder_maps_through
from tests.contract import SMALL, SMALL_2D, NetworkContract, TrainerContract
from tests.plan_shapes import SHAPES, PlanShape
from tests.training.test_pretrained import loaded, stock_file

Kind = pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])


class TestNoSkip(NetworkContract, TrainerContract):
    network = NoSkip
    trainer = "nnUNetTrainerNoSkip"

    @Kind
    def test_a_stock_checkpoint_lacks_only_the_mechanism(self, residual: bool) -> None:
        """Here it lacks nothing, and has convolutions of other shapes, those that read a skip."""
        stock_class = ResidualEncoderUNet if residual else PlainConvUNet
        stock = stock_class(input_channels=1, num_classes=3, **SMALL.architecture(residual=residual)).state_dict()
        ours = self.build(SMALL, residual=residual).state_dict()
        assert ours.keys() == stock.keys()
        others = {key for key, value in ours.items() if value.shape != stock[key].shape}
        assert others == {
            f"decoder.stages.{n}.convs.0.{place}.weight" for n in (0, 1) for place in ("conv", "all_modules.0")
        }

    def test_the_planners_estimate_counts_more_than_the_stock_network(self) -> None:
        """Here as much: its convolutions put out what they did, and read less."""
        stock = PlainConvUNet(input_channels=1, num_classes=3, deep_supervision=True, **SMALL.architecture())
        ours = self.build(SMALL).compute_conv_feature_map_size(SMALL.patch)
        assert ours == stock.compute_conv_feature_map_size(SMALL.patch)


@Kind
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_is_the_stock_network_of_zeroed_skips_without_the_zeros(shape: PlanShape, residual: bool) -> None:
    torch.manual_seed(0)
    mask = "".join("01"[(skip + residual) % 2] for skip in range(shape.stages - 1))
    x = torch.randn(1, 1, *(min(n, 64) for n in shape.patch), dtype=torch.float64)
    for kept in ("none", mask):
        ours = NoSkip(1, 3, True, kept=kept, **shape.architecture(residual=residual)).double().eval()
        stock = SkipUNet(1, 3, True, **shape.architecture(residual=residual)).double().eval()
        copy_into(stock, ours)
        with torch.no_grad(), encoder_maps_through(stock, functools.partial(zeroed, ours.kept)):
            expected = stock(x)
        torch.testing.assert_close(ours(x), expected, rtol=1e-10, atol=1e-10)


def zeroed(kept: tuple[bool, ...], maps: list[torch.Tensor]) -> list[torch.Tensor]:
    """The encoder's maps, those of cut skips as zeros."""
    return [x if keep else torch.zeros_like(x) for x, keep in zip(maps, (*kept, True), strict=True)]


def copy_into(stock: SkipUNet, ours: NoSkip) -> None:
    """Our weights; what would be read of cut skips stays as it is."""
    state = stock.state_dict()
    with torch.no_grad():
        for key, value in ours.state_dict().items():
            state[key][tuple(slice(n) for n in value.shape)].copy_(value)


@pytest.mark.parametrize("shape", [SMALL, SMALL_2D], ids=["3d", "2d"])
def test_has_the_gradients_of_the_stock_network_of_zeroed_skips(shape: PlanShape) -> None:
    torch.manual_seed(0)
    ours = NoSkip(1, 3, True, kept="01", **shape.architecture()).double()
    stock = SkipUNet(1, 3, True, **shape.architecture()).double()
    copy_into(stock, ours)
    x = torch.randn(2, 1, *shape.patch, dtype=torch.float64)
    sum(y.square().mean() for y in ours(x)).backward()
    with encoder_maps_through(stock, functools.partial(zeroed, ours.kept)):
        sum(y.square().mean() for y in stock(x)).backward()
    expected = dict(stock.named_parameters())
    for name, p in ours.named_parameters():
        gradient = expected[name].grad
        read = tuple(slice(n) for n in p.shape)
        torch.testing.assert_close(p.grad, gradient[read], rtol=1e-10, atol=1e-10)
        if gradient.shape != p.shape:
            assert not gradient[:, p.shape[1] :].any(), "what reads zeros never learns"


def test_all_kept_is_the_stock_network_weight_for_weight() -> None:
    networks = []
    for build in (lambda **plan: NoSkip(1, 3, True, kept="all", **plan), lambda **plan: SkipUNet(1, 3, True, **plan)):
        torch.manual_seed(0)
        networks.append(build(**SMALL.architecture()).eval())
    x = torch.randn(1, 1, *SMALL.patch)
    torch.testing.assert_close(networks[0](x), networks[1](x), rtol=0, atol=0)


def test_what_reads_no_skip_starts_as_nnunet_starts_a_convolution_of_its_width() -> None:
    plan = SMALL.architecture() | {"features_per_stage": [64, 128, 128]}
    conv: Any = NoSkip(1, 3, **plan).decoder_stage(0).convs[0].conv
    assert conv.in_channels == 64
    gain = math.sqrt(2 / (1 + 1e-2**2))
    assert float(conv.weight.detach().std()) == pytest.approx(gain / math.sqrt(64 * 27), rel=0.02)
    assert not conv.bias.any()


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ("0111", "0111 says which of 4 skips are kept, but the U-Net of these plans has 2: write 2 digits"),
        ("", "'' does not say which skips are kept"),
        ("02", "'02' does not say .* such as 01"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_with_one_that_does(kept: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NoSkip(1, 3, kept=kept, **SMALL.architecture())


@Kind
def test_a_stock_checkpoint_starts_all_that_reads_no_cut_skip(tmp_path: Path, residual: bool) -> None:
    torch.manual_seed(0)
    network = NoSkip(1, 3, True, kept="01", **SMALL.architecture(residual=residual))
    before, file, after = loaded(network, stock_file(tmp_path, residual, classes=5))
    cut = {f"decoder.stages.1.convs.0.{place}.weight" for place in ("conv", "all_modules.0")}
    for key, value in after.items():
        anew = ".seg_layers." in key or key in cut
        assert torch.equal(value, before[key] if anew else file[key]), key
    assert "in another shape: decoder.stages.1.convs.0.conv.weight." in str(network.warm_start)


def test_a_checkpoint_of_its_own_starts_everything(tmp_path: Path) -> None:
    first, second = (NoSkip(1, 3, True, **SMALL.architecture()) for _ in range(2))
    path = tmp_path / "checkpoint_final.pth"
    torch.save({"network_weights": first.state_dict()}, path)
    load_pretrained_weights(second, str(path))
    assert not second.warm_start.others
