"""What nnU-Net has planned for a data set, read from nnUNet_preprocessed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnunet_skipx.nnunet.folders import preprocessed_data
from nnunet_skipx.nnunet.json_files import read_domains, read_plans, read_trainable
from nnunet_skipx.nnunet.names import are_of, is_number
from nnunet_skipx.system.files import require_readable
from nnunet_skipx.system.names import did_you_mean, unfit_name

DOMAINS_FILE = "domains.json"  # beside the plans of a universal run, whose cases are those of other data sets


def plans_file(dataset: str, plans: str) -> Path:
    """Where nnU-Net's planning put the plans of a data set, given by id or name.

    Raises:
        FileNotFoundError: folders, data set or plans are missing; says what there is.
        ValueError: neither an id nor a name, or the id of several.
    """
    preprocessed = preprocessed_data()
    if why := unfit_name(plans):
        raise ValueError(f"{plans!r} names no plans, as it {why}: give a name such as nnUNetPlans")
    folder = preprocessed / full_name(dataset)
    path: Path = folder / f"{plans}.json"
    if not path.is_file():
        existing = ", ".join(sorted(other.stem for other in folder.glob("*Plans*.json"))) or "none"
        raise FileNotFoundError(
            f"{path} does not exist (plans there: {existing}): check the name, or run "
            f"nnUNetv2_plan_and_preprocess -d {dataset} first"
        )
    return path


def full_name(dataset: str) -> str:
    """The name of a planned data set that is given by id or name; nnU-Net's own search takes 123 for 1235, too.

    Raises:
        FileNotFoundError: none in nnUNet_preprocessed has this id.
        ValueError: several have, or it is neither an id nor a name.
    """
    preprocessed = preprocessed_data()
    require_readable(preprocessed)
    there = sorted(path.name for path in preprocessed.glob("Dataset*"))
    if not is_number(dataset) and (unfit_name(dataset) or not dataset.startswith("Dataset")):
        likeliest = did_you_mean(dataset, there) or did_you_mean(f"Dataset000_{dataset}", there)
        raise ValueError(f"{dataset!r} names no data set{likeliest}: give its id (4) or its name (Dataset004_Name)")
    found = are_of(dataset, map(Path, there))
    if not found:
        raise FileNotFoundError(
            f"data set {dataset!r} was not found in nnUNet_preprocessed={preprocessed} (there: "
            f"{', '.join(there) or 'none'}){did_you_mean(dataset, there)}: check the id, or run "
            "nnUNetv2_plan_and_preprocess first"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(f"{preprocessed} holds several data sets {dataset}: {names}: give one of these names")
    return found[0].name


def read_planned(dataset: str, plans: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The content of the plans and of dataset.json beside them; errors as `plans_file` raises them."""
    path = plans_file(dataset, plans)
    beside = path.with_name("dataset.json")
    if not beside.is_file():
        raise FileNotFoundError(f"{beside} does not exist: run nnUNetv2_plan_and_preprocess -d {dataset} again")
    return read_plans(path), read_trainable(beside)


def preprocessed_folder(dataset: str, plans: str, configuration: str) -> Path:
    """The folder of a configuration's preprocessed cases; of a universal run, which has none, that of its plans.

    Raises:
        ValueError: the plans have no such configuration; says what there is.
        FileNotFoundError: nothing is preprocessed, or as `plans_file` raises it.
    """
    path = plans_file(dataset, plans)
    content = read_plans(path)
    require_configuration(content, configuration)
    if path.with_name(DOMAINS_FILE).is_file():
        return path.parent
    folder = path.parent / _data_identifier(content["configurations"], configuration)
    if not any(folder.glob("*.pkl")):
        raise FileNotFoundError(
            f"{folder} holds no preprocessed case: run nnUNetv2_preprocess -d {dataset} -plans_name {plans} "
            f"-c {configuration}"
        )
    return folder


def require_configuration(plans: dict[str, Any], configuration: str) -> None:
    """Raise ValueError where plans have no such configuration; says what there is."""
    known = plans["configurations"]
    if configuration not in known:
        raise ValueError(
            f"{plans['plans_name']} of {plans['dataset_name']} have no configuration {configuration!r}"
            f"{did_you_mean(configuration, known)}; they have: {', '.join(known)}"
        )


def planned_skips(plans: Mapping[str, Any], configuration: str) -> int:
    """How many skips the U-Net of a configuration has; ValueError where its plans do not say.

    >>> fullres = {"architecture": {"arch_kwargs": {"n_stages": 6}}}
    >>> planned_skips({"configurations": {"3d_fullres": fullres, "3d": {"inherits_from": "3d_fullres"}}}, "3d")
    5
    """
    content = plans["configurations"][configuration]
    if "architecture" not in content and "inherits_from" in content:
        return planned_skips(plans, content["inherits_from"])
    stages = content.get("architecture", {}).get("arch_kwargs", {}).get("n_stages")
    if not isinstance(stages, int) or stages < 2:
        raise ValueError(
            f"{plans['plans_name']} of {plans['dataset_name']} do not say how many stages the U-Net of {configuration} "
            "has (architecture.arch_kwargs.n_stages): plan again with nnUNetv2_plan_experiment"
        )
    return stages - 1


def domains_in(folder: Path) -> list[str]:
    """The data sets of the universal run that a folder (preprocessed, or a model's) belongs to; none for others."""
    path = folder / DOMAINS_FILE
    return list(read_domains(path)["fingerprints"]) if path.is_file() else []


def has_next_stage(plans: Mapping[str, Any], configuration: str) -> bool:
    """Whether another configuration continues from this one's predictions, as 3d_cascade_fullres does from 3d_lowres.

    >>> plans = {"configurations": {"3d_lowres": {"next_stage": "3d_cascade_fullres"}, "2d": {}}}
    >>> has_next_stage(plans, "3d_lowres"), has_next_stage(plans, "2d")
    (True, False)
    """
    content = plans["configurations"].get(configuration, {})
    if "next_stage" in content or "inherits_from" not in content:
        return bool(content.get("next_stage"))
    return has_next_stage(plans, content["inherits_from"])


def _data_identifier(configurations: dict[str, Any], configuration: str) -> str:
    """The folder of a configuration's preprocessed cases, which it may inherit."""
    content = configurations[configuration]
    return content.get("data_identifier") or _data_identifier(configurations, content["inherits_from"])
