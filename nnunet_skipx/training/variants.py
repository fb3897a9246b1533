"""The one grammar of trainer names: a trainer, then options in any order, each once: `nnUNetTrainerUTANet_twin_bf16`.

nnU-Net stores a trainer's name in checkpoints and folder names and takes no hyperparameters on the command line, so
the name carries them. Every class is made once and lives in this module, so that it pickles by its name.
"""
import functools
import importlib
import pkgutil
import re
from typing import Any

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

import nnunet_skipx.trainers as trainers_package
from nnunet_skipx.training.options import Bf16Option, DemoOption, EpochsOption
from nnunet_skipx.training.stage2 import Stage2Option
from nnunet_skipx.training.trainer import SkipTrainer

BASELINE = "nnUNetTrainer"
EPOCHS = re.compile(r"([1-9][0-9]*)epochs?")
OPTIONS = {
    "{N}epochs": "train for N epochs instead of 1000",
    "twin": "the network's twin: as many parameters, the claimed ingredient neutralised (not on nnUNetTrainer)",
    "bf16": "autocast to bfloat16 instead of float16, without GradScaler",
    "stage2": "freeze a trained U-Net given by -pretrained_weights, train the mechanism (not on nnUNetTrainer)",
    "demo": "the shortened schedule of `skipx demo`",
}


def trainer_names() -> list[str]:
    """The package's trainers without their variants."""
    return sorted(module.name for module in pkgutil.iter_modules(trainers_package.__path__))


def trainer_class(name: str) -> type[nnUNetTrainer]:
    """The trainer or variant called `name`, always the same class.

    Raises:
        AttributeError: not a name of ours, so that nnU-Net looks elsewhere.
        ValueError: one of our trainers with an option that does not exist or does not fit.
    """
    base, *options = name.split("_")
    if base in trainer_names() or (base == BASELINE and any(is_option(option) for option in options)):
        return _variant(name, base, tuple(options))
    for trainer in trainer_names():
        if base.casefold() == trainer.casefold():
            raise ValueError(f"there is no trainer {base!r}; did you mean {trainer!r}?")
    raise AttributeError(f"{name!r} is not a trainer of nnunet_skipx")


def is_option(option: str) -> bool:
    """Whether `option` can stand in a trainer's name."""
    return EPOCHS.fullmatch(option) is not None or (option in OPTIONS and option != "{N}epochs")


@functools.cache
def _variant(name: str, base_name: str, options: tuple[str, ...]) -> type[nnUNetTrainer]:
    _check_options(name, base_name, options)
    base: type[nnUNetTrainer] = nnUNetTrainer
    if base_name != BASELINE:
        base = getattr(importlib.import_module(f"{trainers_package.__name__}.{base_name}"), base_name)
    if not options:
        return base
    namespace: dict[str, Any] = {"__module__": __name__, "__doc__": f"{base_name} with {', '.join(options)}."}
    mixins: list[type] = []
    epochs = [int(match[1]) for option in options if (match := EPOCHS.fullmatch(option))]
    if epochs:  # first, so that it has the last word on the number of epochs
        namespace["epochs"] = epochs[0]
        mixins.append(EpochsOption)
    named_mixins = {"bf16": Bf16Option, "stage2": Stage2Option, "demo": DemoOption}
    mixins += [mixin for option, mixin in named_mixins.items() if option in options]
    if issubclass(base, SkipTrainer):
        meanings = {**base.own_options, "demo": base.demo_kwargs, "twin": base.twin_kwargs}
        namespace["architecture_kwargs"] = {
            key: value for option, kwargs in meanings.items() if option in options for key, value in kwargs.items()
        }
    return type(name, (*mixins, base), namespace)


def _check_options(name: str, base: str, options: tuple[str, ...]) -> None:
    unknown = [option for option in options if not is_option(option)]
    if unknown:
        known = "\n".join(f"  _{option:10s} {text}" for option, text in OPTIONS.items())
        raise ValueError(
            f"{name!r} has the unknown option {'_' + unknown[0]!r}. A name is {base} followed by options of this list, "
            f"each at most once:\n{known}\nTrainers: {', '.join([BASELINE, *trainer_names()])}"
        )
    kinds = ["{N}epochs" if EPOCHS.fullmatch(option) else option for option in options]
    if len(set(kinds)) < len(kinds):
        raise ValueError(f"{name!r} gives an option twice; each may stand once")
    if base == BASELINE and (unfit := {"twin", "stage2"} & set(options)):
        raise ValueError(f"{name!r}: {BASELINE} has no skip mechanism, so it has no '_{unfit.pop()}'; drop that option")


def __getattr__(name: str) -> Any:
    """Variants as attributes of this module, for pickle."""
    if not name.startswith(BASELINE):
        raise AttributeError(name)
    return trainer_class(name)
