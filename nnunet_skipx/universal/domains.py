"""The domains of a universal run: data sets that nnU-Net has planned and preprocessed, each with a plan of its own."""
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from nnunet_skipx.planned import plans_file, read_planned

# What a plan says about the network and all domains must share, since their pointwise weights do.
SHARED_OPS = ("conv_op", "norm_op", "norm_op_kwargs", "nonlin", "nonlin_kwargs", "conv_bias")
PER_STAGE = ("features_per_stage", "n_conv_per_stage", "n_blocks_per_stage", "n_conv_per_stage_decoder")


@dataclass(frozen=True)
class PlannedDomain:
    """One data set with its plans and dataset.json, and the configuration that takes part."""

    dataset: str
    plans: dict[str, Any]
    dataset_json: dict[str, Any]
    configuration: str
    folder: Path  # of the preprocessed cases

    @property
    def manager(self) -> ConfigurationManager:
        """nnU-Net's view of the configuration."""
        return PlansManager(self.plans).get_configuration(self.configuration)

    @property
    def input_channels(self) -> int:
        """Channels of the images."""
        return determine_num_input_channels(PlansManager(self.plans), self.manager, self.dataset_json)

    @property
    def heads(self) -> int:
        """Channels of the logits."""
        return PlansManager(self.plans).get_label_manager(self.dataset_json).num_segmentation_heads

    @property
    def architecture(self) -> dict[str, Any]:
        """The architecture arguments of the plan."""
        return self.manager.network_arch_init_kwargs

    def fingerprint(self) -> str:
        """SHA-256 of the plans, of dataset.json, and of the names and sizes of the preprocessed files."""
        files = sorted((path.name, path.stat().st_size) for path in self.folder.iterdir())
        content = [self.plans, self.dataset_json, self.configuration, files]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_domain(dataset: str, plans: str, configuration: str) -> PlannedDomain:
    """A domain from nnUNet_preprocessed.

    Raises:
        FileNotFoundError: not planned or not preprocessed.
        ValueError: the plans have no such configuration, or it continues from another's predictions.
    """
    content, dataset_json = read_planned(dataset, plans)
    path = plans_file(dataset, plans)
    if configuration not in content["configurations"]:
        raise ValueError(
            f"{plans} of {path.parent.name} have no configuration {configuration!r}; they have: "
            f"{', '.join(content['configurations'])}"
        )
    manager = PlansManager(content).get_configuration(configuration)
    if manager.previous_stage_name is not None:
        raise ValueError(f"{configuration} continues from the predictions of {manager.previous_stage_name}, which a "
                         "universal run does not have: choose 2d, 3d_lowres or 3d_fullres")  # fmt: skip
    folder = path.parent / manager.data_identifier
    if not any(folder.glob("*.pkl")):
        raise FileNotFoundError(f"{folder} holds no preprocessed case: run nnUNetv2_preprocess -d {dataset} "
                                f"-plans_name {plans} -c {configuration}")  # fmt: skip
    return PlannedDomain(path.parent.name, content, dataset_json, configuration, folder)


def shared_architecture(domains: Sequence[PlannedDomain]) -> dict[str, Any]:
    """The architecture arguments that the domains share: those of the deepest plan, which the others must begin like.

    Raises:
        ValueError: fewer than two domains, one named twice, 2D and 3D mixed, or stages of other widths or depths; names
            the two data sets and the entry.
    """
    names = [domain.dataset for domain in domains]
    if len(set(names)) < len(names) or len(names) < 2:
        raise ValueError(f"a universal run takes two or more data sets, each once, not {', '.join(names) or 'none'}")
    deepest = max(domains, key=lambda domain: domain.architecture["n_stages"])
    for domain in domains:
        if different := _difference(domain.architecture, deepest.architecture):
            raise ValueError(
                f"{domain.dataset} and {deepest.dataset} cannot share weights: their plans differ in {different}. "
                "Plan them with the same planner, or leave one out"
            )
    return {key: deepest.architecture[key] for key in (*SHARED_OPS, *PER_STAGE) if key in deepest.architecture}


def _difference(one: dict[str, Any], deepest: dict[str, Any]) -> str:
    """The first entry in which two architectures do not fit, with both values; empty if they do."""
    for key in SHARED_OPS:
        if one[key] != deepest[key]:
            return f"{key} ({one[key]} against {deepest[key]})"
    for key in PER_STAGE:
        if (key in one) != (key in deepest):
            return f"{key}, which only one of them has"
        if key in one and _stages(one, key) != _stages(deepest, key)[: len(_stages(one, key))]:
            return f"{key} ({one[key]} against {deepest[key]})"
    return ""


def _stages(architecture: dict[str, Any], key: str) -> list[int]:
    """An entry with a number per stage, full resolution first; the decoder's plan lists them the other way round."""
    values = list(architecture[key])
    return values[::-1] if key == "n_conv_per_stage_decoder" else values
