"""What networks cost, by name and as modules of one's own."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import nnunet_skipx as sx
from nnunet_skipx.api.steps import Order, memory_in_a_process, training_step
from nnunet_skipx.counting import parameters

SMALL: dict[str, Any] = {
    "patch_size": (32, 32),
    "in_channels": 3,
    "classes": 4,
    "device": "cpu",
    "runs": 2,
    "memory": False,
}


def own() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))


def test_a_line_per_network_with_the_columns_of_the_command() -> None:
    module = own()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    found = sx.profile("XUNet", module, batch_size=2, **SMALL)
    assert list(found["network"]) == ["XUNet", "Sequential"]
    costs = {f"{mode}_{what}" for mode in ("training", "inference") for what in ("seconds", "time_ratio", "memory_mb")}
    assert set(found.columns) == {"network", "parameters", "gflops", *costs}
    assert found["parameters"][0] == parameters(sx.build("XUNet", 2, 3, 4, (32, 32)))
    assert found["parameters"][1] == 3 * 8 * 9 + 8 + 8 * 4 + 4
    assert found["gflops"][1] == pytest.approx(2 * 32 * 32 * (3 * 8 * 9 + 8 * 4) / 1e9)
    assert found["training_time_ratio"][0] == 1.0 > found["training_time_ratio"][1]
    assert (found[["training_seconds", "inference_seconds"]] > 0).all(axis=None)
    assert (found.attrs["patch_size"], found.attrs["runs"], found.attrs["device"]) == ([32, 32], 2, "cpu")
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items()), "a copy was trained"


def test_modules_of_one_class_are_numbered_and_options_reach_named_networks() -> None:
    found = sx.profile(own(), own(), "UTANet", embedding=8, deep_supervision=True, **SMALL)
    assert list(found["network"]) == ["Sequential 1", "Sequential 2", "UTANet"]


def test_a_step_trains_with_the_balance_loss() -> None:
    torch.manual_seed(0)
    network = sx.build("UTANet", 2, 3, 4, (32, 32), embedding=8)
    before = {name: value.clone() for name, value in network.named_parameters()}
    training_step(Order(network, (32, 32), 3, 2, "cpu"))()
    same = [name for name, value in network.named_parameters() if torch.equal(value, before[name])]
    assert all("seg_layers" in name for name in same), "only heads of lower resolutions take no part"


@pytest.mark.slow
def test_memory_is_that_of_another_process_which_needs_the_modules_class(tmp_path: Path) -> None:
    order = Order(nn.Sequential(nn.Linear(4096, 4096)), (4096,), 1, 1, "cpu")
    megabytes = memory_in_a_process("inference", order)
    assert megabytes is not None and 64 <= megabytes < 200, "4096 x 4096 floats are 64 MB"
    script = tmp_path / "script.py"
    script.write_text(
        "from torch import nn\nfrom nnunet_skipx.api.steps import Order, memory_in_a_process\n\n\n"
        "class Mine(nn.Conv2d):\n    pass\n\n\n"
        "print(memory_in_a_process('inference', Order(Mine(1, 2, 1), (8, 8), 1, 1, 'cpu')))\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert run.stdout == "None\n", "its class stands in the script"


@pytest.mark.parametrize(
    ("networks", "options", "message"),
    [
        ((), {}, "no network is named"),
        (("UTAnet",), {}, r"no network 'UTAnet' \(did you mean UTANet"),
        (("XUNet", "XUNet"), {}, "XUNet is named twice"),
        (("XUNet",), {"runs": 0}, "runs=0 measures nothing"),
        (("XUNet",), {"device": "tpu"}, "device 'tpu' is none"),
        (("XUNet",), {"patch_size": (0, 32)}, r"patch_size \(0, 32\) does not fit"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(networks: tuple[str, ...], options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sx.profile(*networks, **{**SMALL, **options})
