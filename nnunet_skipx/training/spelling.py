"""Whether there is a trainer of a name, as far as that can be said without importing any."""

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

from nnunet_skipx.nnunet.trainer_name import BASELINE, TrainerName
from nnunet_skipx.system.classes import classes_in
from nnunet_skipx.system.names import did_you_mean
from nnunet_skipx.training.declared import declared
from nnunet_skipx.training.grammar import OPTIONS, is_ours, kind, trainer_names, unknown_option

EXT_VARIABLE = "nnUNet_extTrainer"
OURS = Path(__file__).resolve().parents[1] / "discovery"


def require_trainers(names: Iterable[str]) -> None:
    """Raise ValueError for a name that is none, with the likeliest one; what remains to be seen, nnU-Net's search says.

    Whether the options of a name go together is such a thing, and whether a folder of the user's has the trainer.
    """
    for name in names:
        _require(name)


def _require(name: str) -> None:
    base, options = TrainerName.of(name)
    nnunets = nnunet_trainers()
    if name in nnunets:
        return
    if is_ours(base, options):
        takes = declared(base).options
        if wrong := [option for option in options if kind(option) not in takes | OPTIONS]:
            raise ValueError(unknown_option(name, base, wrong[0], takes))
    elif not folders_of_others():
        known = [BASELINE, *trainer_names(), *nnunets]
        likeliest = did_you_mean(name, _variants()) if base == BASELINE else did_you_mean(base, known)
        raise ValueError(
            f"nnU-Net finds no trainer {name!r}{likeliest}: check the spelling (`skipx list` shows ours), or export "
            f"{EXT_VARIABLE}=FOLDER for a trainer of your own"
        )


def nnunet_trainers() -> set[str]:
    """The trainers in nnU-Net's own folder."""
    package = importlib.util.find_spec("nnunetv2")  # which does not import it
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("nnU-Net is not installed here: pip install nnunetv2, or run `skipx doctor`")
    return set(classes_in(Path(package.submodule_search_locations[0]) / "training" / "nnUNetTrainer"))


def folders_of_others() -> list[str]:
    """The folders in which nnU-Net looks for trainers that are not ours."""
    folders = os.environ.get(EXT_VARIABLE, "").split(os.pathsep)
    return [folder for folder in folders if folder.strip() and Path(folder).resolve() != OURS]


def _variants() -> list[str]:
    """Names of the baseline with one option, such as nnUNetTrainer_250epochs."""
    return [
        f"{BASELINE}_{option.replace('{N}', '250').replace('{mask}', '0111')}" for option in declared(BASELINE).options
    ]
