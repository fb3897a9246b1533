"""Networks by name, for training scripts of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

from nnunet_skipx.api.planned_like import DEFAULT_PATCH, planned_like
from nnunet_skipx.architectures import NETWORKS, UTANet
from nnunet_skipx.nnunet.json_files import read_dataset_json, read_plans
from nnunet_skipx.nnunet.network_classes import require_known_networks
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.system.names import did_you_mean

CURE = "name the plans that nnUNetv2_plan_and_preprocess wrote, or those in a model folder"


def build(
    network: str,
    dims: int | None = None,
    in_channels: int = 1,
    classes: int = 2,
    patch_size: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    residual: bool = False,
    deep_supervision: bool = False,
    **options: Any,
) -> nn.Module:
    """A network as nnU-Net would plan it for a patch, with freshly started weights.

    It maps images `(B, in_channels, *spatial)` of any size to logits `(B, classes, *spatial)`. Add
    `network.auxiliary_loss()`, weighted, to the loss of every training step: UTANet's balance loss, else 0.

    Args:
        network: UTANet, XUNet, ... : a name of `nnunet_skipx.architectures.NETWORKS`.
        dims: 2 or 3 (default: as many as the patch has axes, else 3).
        in_channels: of the image.
        classes: of the logits, background included.
        patch_size: in voxels, of the images that it will be trained on (default: 256 x 256 or 128 x 128 x 128).
        spacing: in mm, in the order of the axes (default: 1); anisotropic ones give anisotropic kernels and strides.
        residual: with nnU-Net's residual encoder.
        deep_supervision: return a list of logits, one per decoder stage, full resolution first.
        options: of the network, as `docs/public_api.md` lists them.

    Raises:
        ValueError: no such network, or a patch that is not one; says what would be.
    """
    if network not in NETWORKS:
        raise ValueError(f"there is no network {network!r}{did_you_mean(network, NETWORKS)}: {', '.join(NETWORKS)}")
    patch = patch_of(dims, patch_size)
    if spacing is not None and (len(spacing) != len(patch) or not all(s > 0 for s in spacing)):
        raise ValueError(f"spacing {tuple(spacing)} does not fit: give {len(patch)} numbers of mm above 0")
    arguments = planned_like(patch, spacing or [1.0] * len(patch), residual)
    if "patch_size" in NETWORKS[network].plan_arguments:
        arguments["patch_size"] = list(patch)
    return ready(NETWORKS[network](in_channels, classes, deep_supervision, **arguments, **options))


def patch_of(dims: int | None, patch_size: Sequence[int] | None) -> tuple[int, ...]:
    """The patch in voxels that is meant; ValueError for one that cannot be."""
    dims = dims or (3 if patch_size is None else len(patch_size))
    if dims not in DEFAULT_PATCH:
        raise ValueError(f"dims must be 2 or 3, got {dims}")
    patch = DEFAULT_PATCH[dims] if patch_size is None else tuple(int(n) for n in patch_size)
    if len(patch) != dims or min(patch) < 1:
        raise ValueError(f"patch_size {tuple(patch)} does not fit dims={dims}: give {dims} sizes in voxels")
    return patch


def from_plans(
    plans: str | Path,
    configuration: str,
    network: str,
    in_channels: int | None = None,
    classes: int | None = None,
    deep_supervision: bool = False,
) -> nn.Module:
    """The network that nnU-Net would train on a configuration of a plans file, with freshly started weights.

    Args:
        plans: path of an nnUNetPlans.json or of a model folder's plans.json.
        configuration: 2d, 3d_fullres, ...
        network: a network (UTANet) or a trainer with its options (nnUNetTrainerUTANet_twin).
        in_channels: default: as the dataset.json beside the plans says.
        classes: likewise.
        deep_supervision: see `build`.

    Raises:
        FileNotFoundError, ValueError: a file is missing or not what it should be, or there is no such configuration or
            network; says which there are.
    """
    path = Path(plans)
    content = read_plans(path, CURE)
    require_known_networks(content)
    manager = PlansManager(content)
    if configuration not in manager.available_configurations:
        raise ValueError(
            f"{path} has no configuration {configuration!r}: {', '.join(manager.available_configurations)}"
        )
    planned = manager.get_configuration(configuration)
    if in_channels is None or classes is None:
        description = read_dataset_json(path.with_name("dataset.json"), "or give in_channels and classes")
        in_channels = in_channels or determine_num_input_channels(manager, planned, description)
        classes = classes or manager.get_label_manager(description).num_segmentation_heads
    trainer: Any = find_trainer(f"nnUNetTrainer{network}" if network in NETWORKS else network)
    return ready(trainer.build_network_architecture(manager, planned, in_channels, classes, deep_supervision))


def ready(network: nn.Module) -> nn.Module:
    """A network that keeps what its auxiliary loss is made of."""
    if isinstance(network, UTANet):
        network.keep_routing = True
    return network
