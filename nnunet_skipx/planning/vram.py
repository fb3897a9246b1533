"""`skipx plan --vram`: plans for one of our networks whose training fits a GPU."""

import io
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.nnunet.folders import preprocessed_data, raw_data
from nnunet_skipx.nnunet.json_files import read_dataset_json, read_fingerprint, read_plans
from nnunet_skipx.nnunet.planned import preprocessed_folder, read_planned
from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.planning.networks import trainer_of
from nnunet_skipx.planning.planner import ArchitecturePlanner
from nnunet_skipx.planning.spelling import require_architecture
from nnunet_skipx.planning.training_memory import CUDA_CONTEXT, TrainingMemory, training_memory
from nnunet_skipx.system.files import write_json

GIGABYTE = 2**30
TRIALS = 5
# What preprocessed data depend on, of a configuration and of the plans.
DATA = (
    "preprocessor_name",
    "spacing",
    "normalization_schemes",
    "use_mask_for_norm",
    "resampling_fn_data",
    "resampling_fn_seg",
    "resampling_fn_data_kwargs",
    "resampling_fn_seg_kwargs",
)
DATA_OF_ALL = ("transpose_forward", "foreground_intensity_properties_per_channel")

Memory = dict[str, TrainingMemory]


def plan_for_vram(dataset: str, architecture: str, gigabytes: float, plans: str) -> tuple[Path, Memory]:
    """Write `nnUNet<architecture>Plans_<gigabytes>G.json`; returns it and the predicted memory of each configuration.

    Preprocessed data are shared with the plans it starts from wherever they are the same.

    Raises:
        ValueError: no such network, no positive number, plans of another planner, or nothing fits.
        FileNotFoundError: folders, data set, plans, raw data or the fingerprint are missing.
    """
    require_architecture(architecture)
    if not 0 < gigabytes < float("inf"):
        raise ValueError(f"--vram {gigabytes:g} is no size of a GPU's memory: give GB, for example --vram 11")
    if gigabytes * GIGABYTE <= CUDA_CONTEXT:
        raise ValueError(f"{gigabytes:g} GB are no more than what is set aside for CUDA itself: give a larger --vram")
    source, dataset_json = read_planned(dataset, plans)
    name = source["dataset_name"]
    _check_sources(name, dataset, plans, source)
    content, memory = _fitting_plans(name, architecture, gigabytes, source, dataset_json)
    for key, configuration in content["configurations"].items():
        before = source["configurations"].get(key)
        if before and "spacing" in before and _same_data(content, configuration, source, before):
            configuration["data_identifier"] = before["data_identifier"]
    path = preprocessed_data() / name / f"{content['plans_name']}.json"
    write_json(path, content)
    return path, memory


def explain_plans(dataset: str, architecture: str, plans: str) -> Memory:
    """The predicted memory of training an architecture on existing plans, by configuration; writes nothing."""
    require_architecture(architecture)
    return predicted_memory(architecture, *read_planned(dataset, plans))


def predicted_memory(architecture: str, plans: dict[str, Any], dataset_json: dict[str, Any]) -> Memory:
    """The memory of a training step on a GPU, for every configuration of the plans."""
    memory = {}
    for configuration in PlansManager(plans).available_configurations:
        print(f"memory of {architecture}, {configuration}", file=sys.stderr)
        setting = Setting(plans, configuration, dataset_json, "cuda")
        memory[configuration] = training_memory(trainer_of(architecture), setting)
    return memory


def missing_data(dataset: str, path: Path) -> list[str]:
    """One sentence, with the command, per configuration of the plans of which nothing is preprocessed."""
    missing = []
    for name, configuration in read_plans(path)["configurations"].items():
        if "inherits_from" in configuration:
            continue  # it has the data of another one
        try:
            preprocessed_folder(dataset, path.name.removesuffix(".json"), name)
        except FileNotFoundError as error:
            missing.append(str(error))
    return missing


def _check_sources(name: str, dataset: str, plans: str, source: dict[str, Any]) -> None:
    planner = source.get("experiment_planner_used")
    if planner != "ExperimentPlanner":
        raise ValueError(
            f"{plans} of {name} were made by {planner}, but --vram plans with nnU-Net's "
            "ExperimentPlanner only: start from its plans, -p nnUNetPlans"
        )
    raw, fingerprint = raw_data() / name, preprocessed_data() / name
    if not (raw / "dataset.json").is_file():
        raise FileNotFoundError(
            f"{raw / 'dataset.json'} does not exist: put the raw data there, as nnU-Net plans with them"
        )
    if not (fingerprint / "dataset_fingerprint.json").is_file():
        raise FileNotFoundError(
            f"{fingerprint / 'dataset_fingerprint.json'} does not exist: run nnUNetv2_extract_fingerprint -d {dataset}"
        )
    read_dataset_json(raw / "dataset.json", "restore the file")  # nnU-Net's planner reads both
    read_fingerprint(fingerprint / "dataset_fingerprint.json", f"run nnUNetv2_extract_fingerprint -d {dataset} again")


def _fitting_plans(
    name: str, architecture: str, gigabytes: float, source: dict[str, Any], dataset_json: dict[str, Any]
) -> tuple[dict[str, Any], Memory]:
    """Plans whose predicted memory fits; the reference values shrink until it does."""
    shares, smallest = {"2d": 1.0, "3d": 1.0}, None
    for _ in range(TRIALS):
        content = _plan(name, architecture, gigabytes, shares, source)
        if content == smallest:
            break
        smallest = content
        memory = predicted_memory(architecture, content, dataset_json)
        rooms = {configuration: room(one, gigabytes) for configuration, one in memory.items()}
        if min(rooms.values()) >= 1:
            return content, memory
        if min(rooms.values()) <= 0:
            break
        for dimension in shares:
            least = min((1.0, *(room for key, room in rooms.items() if key.startswith(dimension))))
            shares[dimension] *= least if least == 1 else 0.95 * least
    raise ValueError(
        f"no plan of {architecture} for {name} fits {gigabytes:g} GB: the smallest tried needs "
        f"{max(one.peak for one in memory.values()) / GIGABYTE:.1f} GB; give a larger --vram"
    )


def room(memory: TrainingMemory, gigabytes: float) -> float:
    """By how much all that depends on patch and batch could grow; below 1 it has to shrink."""
    return (gigabytes * GIGABYTE - memory.fixed) / (memory.peak - memory.fixed)


def _plan(
    name: str, architecture: str, gigabytes: float, shares: dict[str, float], source: dict[str, Any]
) -> dict[str, Any]:
    """What nnU-Net's planner makes of the data set's fingerprint, at the spacing of the plans it starts from."""
    full = source["configurations"].get("3d_fullres")
    spacing = [float(full["spacing"][axis]) for axis in source["transpose_backward"]] if full else None
    plans_name = f"nnUNet{architecture}Plans_{gigabytes:g}G"
    with redirect_stdout(io.StringIO()):  # nnU-Net prints every attempt
        planner = ArchitecturePlanner(name, architecture, gigabytes, shares, plans_name, spacing)
        plans: dict[str, Any] = planner.plan_experiment()
        return plans


def _same_data(
    plans: dict[str, Any], configuration: dict[str, Any], source: dict[str, Any], before: dict[str, Any]
) -> bool:
    """Whether preprocessing would make the same cases of both."""
    return all(plans[key] == source[key] for key in DATA_OF_ALL) and all(
        configuration[key] == before[key] for key in DATA
    )
