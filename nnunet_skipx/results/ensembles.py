"""Test sets: which ensembles of folds predicted them, and what is said where rows do not have the same."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nnunet_skipx.nnunet.evaluated import ensemble, ensemble_told, ensembles_in, members
from nnunet_skipx.results.collect import prediction_command


def common_ensemble(folders: Sequence[Path], asked: Sequence[int] | None, usual: Sequence[int]) -> str:
    """That of the folds asked for; else the only one that all model folders have, or that of the usual folds."""
    if asked is not None:
        return ensemble(asked)
    shared = set.intersection(*(set(ensembles_in(folder)) for folder in folders))
    return shared.pop() if len(shared) == 1 else ensemble(usual)


def not_predicted(lacking: Mapping[Path, tuple[str, int]], wanted: str) -> str:
    """The sentence on model folders whose test set that ensemble has not predicted, with their rows and replicates."""
    told: list[str] = []
    most: dict[str, tuple[int, Path]] = {}
    for folder, (name, replicate) in lacking.items():
        others = ", ".join(ensemble_told(members(other)) for other in ensembles_in(folder))
        told.append(f"{name} (there is that of the {others})" if others else name)
        if replicate >= most.get(folder.name, (0, folder))[0]:
            most[folder.name] = (replicate, folder)  # one command is for all replicates up to this one
    commands = [prediction_command(folder, members(wanted), replicate) for replicate, folder in most.values()]
    return (
        f"no test predictions by the {ensemble_told(members(wanted))} yet: {'; '.join(told)}. Name the folds of "
        "another ensemble with -f, or predict with:\n" + "\n".join(f"  {command}" for command in commands)
    )
