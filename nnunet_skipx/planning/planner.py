"""nnU-Net's own planner with another network, whose memory is held against that network's reference values."""

from collections.abc import Mapping, Sequence
from typing import Any

from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.json_export import recursive_fix_for_json_export

from nnunet_skipx.counting import built_to_count
from nnunet_skipx.planning.networks import architecture_of
from nnunet_skipx.planning.references import reference_of


class ArchitecturePlanner(ExperimentPlanner):
    """Plans patch and batch for one of our networks, or for the stock one ("PlainConvUNet"); writes no file.

    Args:
        dataset: name of a data set in nnUNet_raw, whose fingerprint is in nnUNet_preprocessed.
        architecture: a key of `NETWORKS`, or "PlainConvUNet".
        gigabytes: memory of the GPU (2^30 bytes each).
        shares: by how much the reference values are scaled, for "2d" and "3d".
        spacing: of 3d_fullres in mm, axes as in the images; None leaves it to nnU-Net.
    """

    def __init__(
        self,
        dataset: str,
        architecture: str,
        gigabytes: float,
        shares: Mapping[str, float],
        plans_name: str,
        spacing: Sequence[float] | None,
    ) -> None:
        super().__init__(dataset, gigabytes, plans_name=plans_name, overwrite_target_spacing=spacing)
        self.architecture = architecture
        in_2d, in_3d = reference_of(architecture)
        self.UNet_reference_val_2d = in_2d * shares["2d"]
        self.UNet_reference_val_3d = in_3d * shares["3d"]

    def static_estimate_VRAM_usage(  # nnU-Net calls it on the object; it has to know the architecture
        self,
        patch_size: Sequence[int],
        input_channels: int,
        output_channels: int,
        arch_class_name: str,
        arch_kwargs: dict[str, Any],
        arch_kwargs_req_import: Sequence[str],
    ) -> int:
        """Elements of the maps of one sample, as the planned architecture counts them."""
        stock = {"network_class_name": arch_class_name, "arch_kwargs": arch_kwargs}
        planned = architecture_of(self.architecture, {"patch_size": patch_size, "architecture": stock})
        with built_to_count():
            network = get_network_from_plans(
                planned["network_class_name"],
                planned["arch_kwargs"],
                arch_kwargs_req_import,
                input_channels,
                output_channels,
                allow_init=False,
            )
        return int(network.compute_conv_feature_map_size(patch_size))

    def get_plans_for_configuration(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """A configuration of nnU-Net's, with the planned architecture."""
        configuration = super().get_plans_for_configuration(*args, **kwargs)
        return {**configuration, "architecture": architecture_of(self.architecture, configuration)}

    def save_plans(self, plans: dict[str, Any]) -> None:
        """Make the plans ready for JSON; nnU-Net looks the planner up by its name, and knows its own only."""
        plans["experiment_planner_used"] = ExperimentPlanner.__name__
        recursive_fix_for_json_export(plans)
