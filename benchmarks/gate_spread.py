"""How much of the image gates see: `python -m benchmarks.gate_spread [--data Task04_Hippocampus] [--write]`.

Every network is built with batch norm, and with nnU-Net's instance norm and the same weights, and shown the same twelve
images, in training, at the start. Printed is the standard deviation between images of what its gates put out (mean over
their numbers, three starts): with batch norm; with instance norm and pooled behind it; and as it is built. `--write`
puts the table into docs/norms_and_gates.md; the constants GATE_GAIN and POOLING_GAIN are chosen from it.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from torch import nn

from benchmarks.tables import replace_block
from nnunet_skipx import architectures
from nnunet_skipx.architectures import MSAUNet, UDTransNet, UTANet, XUNet
from nnunet_skipx.architectures.uctransnet import UCTransNet
from nnunet_skipx.skips.image_level import Amplified
from nnunet_skipx.skips.per_image import PerImage, spread_between_images
from nnunet_skipx.system.machine import describe_machine
from tests.contract import unlike_images
from tests.plan_shapes import PlanShape

PAGE = Path(__file__).parents[1] / "docs" / "norms_and_gates.md"
IMAGES, SEEDS = 12, range(3)
PLANS = {
    "2D 56x40, 4 stages": PlanShape((56, 40), (1, 1), 4, features=32),
    "3D 40x56x40, 4 stages": PlanShape((40, 56, 40), (1, 1, 1), 4, features=16),
}
NETWORKS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "UTANet: probabilities": (UTANet, {}),
    "MSA-UNet: channel weights": (MSAUNet, {}),
    "MSA-UNet, all levels": (MSAUNet, {"attention_levels": "all"}),
    "UDTransNet: channel attention": (UDTransNet, {"dropout": 0.0}),
    "XUNet `_attn`: channel weights": (XUNet, {"attention": True}),
}
NETWORKS |= {
    "UCTransNet: channel attention, channel weights": (UCTransNet, {}),
    "UCTransNet without CCA: channel attention": (UCTransNet, {"recalibration": False}),
    "UCTransNet without CCT: channel weights": (UCTransNet, {"fusion": False}),
}
NETWORKS |= {
    f"{name}: gates": (network, {})
    for name, network in architectures.NETWORKS.items()
    if network.gates_spread is not None and network not in [known for known, _ in NETWORKS.values()]
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="an MSD task folder; without it, images of blobs")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    lines = ["| plan | gates | batch norm | instance norm, pooled behind it | as built | of batch norm's |"]
    lines.append("|---|---|---|---|---|---|")
    for plan, shape in PLANS.items():
        images = unlike_images(shape) if arguments.data is None else images_of(arguments.data, shape)
        for name, (network, options) in NETWORKS.items():
            options = options | dict.fromkeys(getattr(network, "plan_arguments", ()), shape.patch)
            batch, behind, built = measured(network, options, shape, images)
            lines.append(f"| {plan} | {name} | {batch:.5f} | {behind:.5f} | {built:.5f} | {built / batch:.2f} |")
            print(lines[-1], flush=True)
    source = "images of blobs" if arguments.data is None else f"images of {arguments.data.name}"
    table = "\n".join([*lines, "", f"{IMAGES} {source}, mean of {len(SEEDS)} starts, {describe_machine()}."])
    if arguments.write:
        replace_block(PAGE, "spread", table)


def measured(
    network: type[nn.Module], options: Mapping[str, Any], shape: PlanShape, images: torch.Tensor
) -> tuple[float, float, float]:
    """Spread with batch norm, with instance norm and pooled behind it, and as built."""
    found = np.zeros(3)
    for seed in SEEDS:
        built = {}
        for norm in ("batch", "instance"):
            torch.manual_seed(seed)
            built[norm] = network(1, 3, False, **options, **shape.architecture(norm=norm)).train()
        built["instance"].load_state_dict(built["batch"].state_dict(), strict=False)
        as_built = spread(built["instance"], images)
        found += [spread(built["batch"], images), spread(pooled_behind_the_norm(built["instance"]), images), as_built]
    return tuple(found / len(SEEDS))


def spread(network: nn.Module, images: torch.Tensor) -> float:
    """Mean over the gates of a network of their spread between the images, `(B, C, *spatial)`."""
    found: list[float] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: found.append(spread_between_images(output)))
        for module in network.modules()
        if isinstance(module, PerImage)
    ]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return sum(found) / len(found)


def pooled_behind_the_norm(network: Any) -> nn.Module:
    """The network with gates that see means of normed maps, as if the source's norm were no matter."""
    if isinstance(network, UTANet):
        network.skips.level = None
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Amplified):
                setattr(module, name, nn.Identity())
    return network


def images_of(task: Path, shape: PlanShape) -> torch.Tensor:
    """`(IMAGES, 1, *patch)`: z-scored volumes, or their middle slices, cut or padded at the end."""
    return torch.stack([fitted(volume, shape.patch) for volume in volumes(task)])[:, None]


def volumes(task: Path) -> Iterator[np.ndarray]:
    """Z-scored images of a task's first cases."""
    for path in sorted((task / "imagesTr").glob("[!.]*.nii.gz"))[:IMAGES]:
        image = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32)
        yield (image - image.mean()) / image.std()


def fitted(volume: np.ndarray, patch: tuple[int, ...]) -> torch.Tensor:
    """A volume, or its middle slice, cut or padded to the size of the patch."""
    image = volume if len(patch) == 3 else volume[len(volume) // 2]
    part = image[tuple(slice(0, n) for n in patch)]
    return torch.from_numpy(np.pad(part, [(0, n - m) for n, m in zip(patch, part.shape, strict=True)]))


if __name__ == "__main__":
    main()
