"""`skipx universal create`: several planned data sets become one that nnU-Net's commands can train."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.planned import DOMAINS_FILE
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.staging import staging_folder
from nnunet_skipx.system.text_table import text_table
from nnunet_skipx.universal.domains import PlannedDomain, read_domain, shared_architecture
from nnunet_skipx.universal.models import clean_staging, free_name
from nnunet_skipx.universal.run import UniversalRun
from nnunet_skipx.universal.sampling import Sampling
from nnunet_skipx.universal.shared_images import shared_images

NETWORK = "nnunet_skipx.architectures.U2Net"
# nnU-Net says it, in quotation marks, where a command asks for the run's images, as nnUNetv2_find_best_configuration.
NO_READER = (
    "none ({dataset} is a universal run, whose images and validations are its domains': run skipx universal extract "
    "-d {number}, then ask for a domain's data set with -tr nnUNetTrainerU2Net_from{number})"
)


def create_run(
    datasets: Sequence[str],
    number: int,
    name: str = "Universal",
    configurations: Sequence[str] = ("3d_fullres",),
    plans: str = "nnUNetPlans",
    sampling: Sampling = "round_robin",
    feature_scale: float = 1.0,
) -> Path:
    """Write `DatasetNNN_name` into nnUNet_preprocessed: plans, dataset.json and domains.json; returns its folder.

    Args:
        datasets: ids or names, planned and preprocessed.
        number, name: of the new data set.
        configurations: that take part, of every data set.
        plans: the data sets' plans, whose name the new plans have too.
        sampling: how often each domain comes.
        feature_scale: of the widths that the plans have.

    Raises:
        FileNotFoundError, ValueError: what is not ready, taken, or does not fit, or an image that one domain trains on
            and another validates; says which and why.
    """
    staging, busy = clean_staging()
    preprocessed = staging.parent
    dataset = free_name(number, name)
    if not feature_scale > 0:
        raise ValueError(f"--feature-scale {feature_scale}: the widths of a network are positive")
    domains = {c: [read_domain(d, plans, c) for d in datasets] for c in configurations}
    shared, unseen = shared_images({d.dataset: d.dataset_json for d in next(iter(domains.values()))})
    run = UniversalRun(dataset, plans, sampling, feature_scale, fingerprints={}, shared_images=shared)
    for configuration, members in domains.items():
        for domain in members:
            run.fingerprints.setdefault(domain.dataset, {})[configuration] = domain.fingerprint()
        run.require_no_leak(members)
    content = {
        # nnU-Net asks every configuration for the folder of its cases; a run has none
        c: {"data_identifier": f"{plans}_{c}", "architecture": _architecture(members, feature_scale)}
        for c, members in domains.items()
    }
    tables = [f"{configuration}:\n{domain_table(members)}\n" for configuration, members in domains.items()]
    with staging_folder(staging, busy) as folder:
        write_json(folder / f"{plans}.json", _plans(dataset, plans, content))
        write_json(folder / "dataset.json", _dataset_json(next(iter(domains.values()))))
        write_json(folder / DOMAINS_FILE, run.to_json())
        publish(folder, preprocessed / dataset)
    print("\n".join(tables))
    if unseen:
        print(f"Not compared, so perhaps shared between training and validation: the images of {', '.join(unseen)}.")
    return preprocessed / dataset


def publish(folder: Path, target: Path) -> None:
    """Move the run to its place; ValueError where another process was quicker."""
    try:
        os.rename(folder, target)
    except OSError as error:
        if not target.is_dir():
            raise
        raise ValueError(f"{target} was created by another process meanwhile: choose another --id") from error


def domain_table(domains: Sequence[PlannedDomain]) -> str:
    """What each domain brings along, for the terminal."""
    return text_table(
        [
            {
                "domain": domain.dataset,
                "patch": "x".join(map(str, domain.manager.patch_size)),
                "batch": str(domain.manager.batch_size),
                "spacing (mm)": " x ".join(f"{length:g}" for length in domain.manager.spacing),
                "stages": str(domain.architecture["n_stages"]),
                "channels": str(domain.input_channels),
                "logits": str(domain.heads),
                "cases": str(len(domain.cases)),
            }
            for domain in domains
        ]
    )


def _architecture(domains: Sequence[PlannedDomain], feature_scale: float) -> dict[str, Any]:
    shared = shared_architecture(domains)
    shared["features_per_stage"] = [max(1, round(width * feature_scale)) for width in shared["features_per_stage"]]
    required = domains[0].manager.network_arch_init_kwargs_req_import
    return {"network_class_name": NETWORK, "arch_kwargs": shared, "_kw_requires_import": list(required)}


def _plans(dataset: str, plans: str, configurations: dict[str, Any]) -> dict[str, Any]:
    """Plans that hold what the domains share; everything else stays in the domains' own."""
    return {
        "dataset_name": dataset,
        "plans_name": plans,
        "experiment_planner_used": "skipx universal create",
        "label_manager": "LabelManager",
        "image_reader_writer": NO_READER.format(dataset=dataset, number=dataset_number(dataset)),
        "configurations": configurations,
    }


def _dataset_json(domains: Sequence[PlannedDomain]) -> dict[str, Any]:
    """As much of a dataset.json as nnU-Net's commands ask for; labels and channels are the domains'."""
    return {
        "channel_names": {"0": "of each domain"},
        "labels": {"background": 0},
        "numTraining": sum(domain.dataset_json.get("numTraining", 0) for domain in domains),
        "file_ending": domains[0].dataset_json["file_ending"],
        "description": f"universal run over {', '.join(domain.dataset for domain in domains)}",
    }
