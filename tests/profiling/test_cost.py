"""cost: parameters and operations agree with a count by hand."""

import pytest
import torch
from torch import nn

from nnunet_skipx.profiling.cost import forward_flops, network_cost

DATASET_JSON = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1, "b": 2}, "file_ending": ".nii.gz"}
PATCH = (8, 16)


def plans(features: list[int], strides: list[list[int]]) -> dict:
    """Plans of a two-dimensional PlainConvUNet with one 3x3 convolution per stage, as the planner writes them."""
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": len(features),
            "features_per_stage": features,
            "conv_op": "torch.nn.modules.conv.Conv2d",
            "kernel_sizes": [[3, 3]] * len(features),
            "strides": strides,
            "n_conv_per_stage": [1] * len(features),
            "n_conv_per_stage_decoder": [1] * (len(features) - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    return {
        "dataset_name": "Dataset004_Hippocampus",
        "plans_name": "nnUNetPlans",
        "label_manager": "LabelManager",
        "configurations": {"2d": {"patch_size": list(PATCH), "architecture": architecture}},
    }


def test_the_stock_trainer_costs_what_a_count_by_hand_says() -> None:
    cost = network_cost("nnUNetTrainer", plans([4, 8], [[1, 1], [2, 2]]), "2d", DATASET_JSON)
    full, half = 8 * 16, 4 * 8
    multiply_adds = [
        full * 9 * 1 * 4,  # encoder, stage 0
        half * 9 * 4 * 8,  # encoder, stage 1
        half * 4 * 8 * 4,  # transposed convolution: every low-resolution pixel meets its 2x2 kernel once
        full * 9 * 8 * 4,  # decoder
        full * 4 * 3,
    ]  # head
    assert cost.gflops * 1e9 == pytest.approx(2 * sum(multiply_adds), abs=0.5)
    weights = 9 * 1 * 4 + 9 * 4 * 8 + 4 * 8 * 4 + 9 * 8 * 4 + 4 * 3
    assert cost.parameters == weights + (4 + 8 + 4 + 4 + 3) + 2 * (4 + 8 + 4)  # + biases + affine norms


def test_parameters_are_not_counted_twice_though_the_decoder_holds_its_encoder() -> None:
    cost = network_cost("nnUNetTrainer", plans([4, 8, 8], [[1, 1], [2, 2], [2, 2]]), "2d", DATASET_JSON)
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    architecture = plans([4, 8, 8], [[1, 1], [2, 2], [2, 2]])["configurations"]["2d"]["architecture"]
    network = get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        1,
        3,
        deep_supervision=False,
    )
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert cost.parameters < sum(tensor.numel() for tensor in network.state_dict().values())


def test_more_input_channels_cost_more() -> None:
    two = {**DATASET_JSON, "channel_names": {"0": "T1", "1": "T2"}}
    one, more = (network_cost("nnUNetTrainer", plans([4, 8], [[1, 1], [2, 2]]), "2d", d) for d in (DATASET_JSON, two))
    assert more.parameters - one.parameters == 9 * 4
    assert (more.gflops - one.gflops) * 1e9 == pytest.approx(2 * 9 * 4 * 8 * 16, abs=0.5)


def test_grouped_and_strided_convolutions_count_only_what_they_compute() -> None:
    network = nn.Conv3d(8, 8, 3, stride=2, padding=1, groups=4, device="meta")
    assert forward_flops(network, (1, 8, 8, 8, 8)) == 2 * 4**3 * 27 * 8 * 2


def test_linear_layers_and_attention_products_count() -> None:
    assert forward_flops(nn.Linear(5, 7, device="meta"), (3, 5)) == 2 * 3 * 5 * 7


class Unusual(nn.Module):
    """Decides by what it computes on the CPU, names its arguments and divides whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = int((torch.tensor([4.0]) * torch.tensor([2.0])).clamp_min(1.0).add_(torch.tensor([2.0])).item())
        x = nn.functional.interpolate(input=x, size=size)
        places = torch.ones(size, size, dtype=torch.int64, device=x.device)
        return torch.bmm(self.convolution(x)[0], places.div(places.add(places)).expand(2, size, size))


def test_what_is_free_of_cost_has_its_size_type_and_where_it_is_real_its_value() -> None:
    assert forward_flops(Unusual().to("meta"), (1, 1, 4, 4)) == 2 * 100 * 2 * 9 + 2 * 2 * 10**3


def test_a_network_of_which_nothing_is_counted_is_refused() -> None:
    with pytest.raises(RuntimeError, match="FLOP counter of torch"):
        forward_flops(nn.ReLU(), (1, 4))


def test_a_convolution_that_the_counter_misses_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.utils import flop_counter

    broken = {
        operation: count
        for operation, count in flop_counter.flop_registry.items()
        if "convolution" not in str(operation)
    }
    monkeypatch.setattr(flop_counter, "flop_registry", broken)
    network = nn.Sequential(nn.Conv1d(1, 1, 3, device="meta"), nn.Flatten(), nn.Linear(6, 1, device="meta"))
    with pytest.raises(RuntimeError, match="convolutions of Sequential alone need 36"):
        forward_flops(network, (1, 1, 8))


class Product(nn.Module):
    """A matrix times a vector after a convolution, which alone would satisfy the count."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, device="meta")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)[:, 0]
        return y @ y[0]


def test_a_product_without_a_formula_is_named_and_refused() -> None:
    with pytest.raises(RuntimeError, match=r"no formula for aten\.mv, which Product uses"):
        forward_flops(Product(), (2, 1, 8))


def test_nothing_is_computed_or_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = nn.Conv3d(1, 64, 3, padding=1, device="meta")
    assert forward_flops(huge, (1, 1, 2048, 2048, 2048)) == 2 * 2048**3 * 27 * 64
    assert not huge._forward_hooks and not torch.is_inference_mode_enabled()


def test_an_unknown_trainer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nnUNetTrainerNobody.*spelling"):
        network_cost("nnUNetTrainerNobody", plans([4, 8], [[1, 1], [2, 2]]), "2d", DATASET_JSON)
