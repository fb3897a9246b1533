"""The domains of a universal run: data sets that nnU-Net has planned and preprocessed, each with a plan of its own."""

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from nnunet_skipx.nnunet.as_planned import as_planned
from nnunet_skipx.nnunet.network_classes import require_known_networks
from nnunet_skipx.nnunet.planned import domains_in, preprocessed_folder, read_planned

# What a plan says about the network and all domains must share, since their pointwise weights do.
SHARED_OPS = ("conv_op", "norm_op", "norm_op_kwargs", "nonlin", "nonlin_kwargs", "conv_bias")
PER_STAGE = ("features_per_stage", "n_conv_per_stage", "n_blocks_per_stage", "n_conv_per_stage_decoder")
BLOCK = 2**16  # bytes; of a file's content its beginning, middle and end are compared


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
        with as_planned(self.plans, self.configuration):
            return determine_num_input_channels(PlansManager(self.plans), self.manager, self.dataset_json)

    @property
    def heads(self) -> int:
        """Channels of the logits."""
        with as_planned(self.plans, self.configuration):
            return PlansManager(self.plans).get_label_manager(self.dataset_json).num_segmentation_heads

    @property
    def cases(self) -> list[str]:
        """The preprocessed cases."""
        return sorted(path.stem for path in self.folder.glob("*.pkl"))

    @property
    def architecture(self) -> dict[str, Any]:
        """The architecture arguments of the plan."""
        return self.manager.network_arch_init_kwargs

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the plans, of dataset.json, and of the preprocessed files (names, sizes, blocks of each)."""
        files = hashlib.sha256()
        for path in sorted(self.folder.iterdir()):
            if path.suffix != ".npy":  # nnU-Net unpacks such files while it trains
                files.update(f"{path.name} {path.stat().st_size} ".encode())
                files.update(_blocks(path))
        return {
            "plans": _digest([self.plans, self.configuration]),
            "dataset.json": _digest(self.dataset_json),
            "preprocessed cases": files.hexdigest(),
        }


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _blocks(path: Path) -> bytes:
    """Beginning, middle and end of a file, all of a small one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= 3 * BLOCK:
            return file.read()
        content = b""
        for start in (0, (size - BLOCK) // 2, size - BLOCK):
            file.seek(start)
            content += file.read(BLOCK)
        return content


def read_domain(dataset: str, plans: str, configuration: str) -> PlannedDomain:
    """A domain from nnUNet_preprocessed.

    Raises:
        FileNotFoundError: not planned or not preprocessed.
        ValueError: the plans have no such configuration, or it continues from another's predictions; or the data set
            is a universal run, or has no label.
    """
    content, dataset_json = read_planned(dataset, plans)
    folder = preprocessed_folder(dataset, plans, configuration)
    if domains_in(folder):
        raise ValueError(f"{folder.name} is a universal run itself: name its domains, {', '.join(domains_in(folder))}")
    if not set(dataset_json["labels"]) - {"background", "ignore"}:
        raise ValueError(
            f"{folder.parent.name} has no label but background, so there is nothing to learn: leave it out"
        )
    require_known_networks(content)
    with as_planned(content, configuration):
        manager = PlansManager(content).get_configuration(configuration)
    if manager.previous_stage_name is not None:
        raise ValueError(
            f"{configuration} continues from the predictions of {manager.previous_stage_name}, which a "
            "universal run does not have: choose 2d, 3d_lowres or 3d_fullres"
        )
    return PlannedDomain(folder.parent.name, content, dataset_json, configuration, folder)


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
    kernels = [
        [max(axis) for axis in zip(*sizes, strict=True)]
        for sizes in per_position([domain.architecture["kernel_sizes"] for domain in domains])
    ]
    shared = {key: deepest.architecture[key] for key in (*SHARED_OPS, *PER_STAGE) if key in deepest.architecture}
    return {"n_stages": deepest.architecture["n_stages"], "kernel_sizes": kernels, **shared}


def fitted_plans(plans: dict[str, Any], configuration: str, shared: dict[str, Any], kernels: bool) -> dict[str, Any]:
    """Plans whose configuration has the widths of a universal run, whose architecture is `shared`.

    kernels: take the kernel sizes from the run too, because full convolutions are shared.

    Raises:
        ValueError: the plans have more stages or other stages than the run; names the entry.
    """
    fitted = copy.deepcopy(plans)
    architecture = copy.deepcopy(PlansManager(plans).get_configuration(configuration).configuration["architecture"])
    arguments, stages = architecture["arch_kwargs"], architecture["arch_kwargs"]["n_stages"]
    if stages > shared["n_stages"]:
        raise ValueError(
            f"{plans['dataset_name']} has {stages} stages, the universal run {shared['n_stages']}: "
            "create the run again with this data set among its domains"
        )
    arguments["features_per_stage"] = shared["features_per_stage"][:stages]
    if kernels:
        arguments["kernel_sizes"] = shared["kernel_sizes"][:stages]
    if different := _difference(arguments, shared):
        raise ValueError(
            f"{plans['dataset_name']} cannot share weights with the universal run: the plans differ in "
            f"{different}. Plan it with the planner of the run's domains"
        )
    fitted["configurations"][configuration]["architecture"] = architecture
    return fitted


def per_position(lists: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Per position the values of those lists that are long enough."""
    return [[values[n] for values in lists if n < len(values)] for n in range(max(map(len, lists)))]


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
