"""The one grammar of trainer names: a trainer, then options in any order, each once: `nnUNetTrainerUTANet_twin_bf16`.

nnU-Net stores a trainer's name in checkpoints and folder names and takes no hyperparameters on the command line, so
the name carries them. Every class is made once and lives in this module, so that it pickles by its name.
"""

import functools
import importlib
from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any, cast

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

import nnunet_skipx.trainers as trainers_package
from nnunet_skipx.architectures import SkipUNet
from nnunet_skipx.nnunet.trainer_name import BASELINE, FLOPSTWIN, SKIPS, TWIN, WITHOUT, TrainerName
from nnunet_skipx.training.grammar import (
    EPOCHS,
    MASK,
    OF_MECHANISMS,
    OPTIONS,
    is_ours,
    kind,
    trainer_names,
    unknown_option,
)
from nnunet_skipx.training.meaningless import is_the_twin, refuse_meaningless, refuse_whole_mask
from nnunet_skipx.training.options.adamw import AdamWOption
from nnunet_skipx.training.options.bf16 import Bf16Option
from nnunet_skipx.training.options.demo import DemoOption
from nnunet_skipx.training.options.epochs import EpochsOption
from nnunet_skipx.training.options.fast import FastOption
from nnunet_skipx.training.options.gpuaug import ElasticOption, GpuAugOption
from nnunet_skipx.training.options.stage2 import Stage2Option
from nnunet_skipx.training.options.unawaited import UnawaitedSteps
from nnunet_skipx.training.options.warm import WarmOption
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin

__all__ = ["trainer_class", "trainer_names"]  # public
USUAL_EPOCHS = 1000  # nnU-Net's
CUT = f"{BASELINE}NoSkip"  # trains the baseline's network without some of its skips, too
# In the order in which they have the last word: the demo's optimiser replaces AdamW's.
MIXINS = {
    "fast": FastOption,
    "elastic": ElasticOption,
    "gpuaug": GpuAugOption,
    "bf16": Bf16Option,
    "stage2": Stage2Option,
    "warm": WarmOption,
    "demo": DemoOption,
    "adamw": AdamWOption,
}


def trainer_class(name: str) -> type[nnUNetTrainer]:
    """The trainer or variant called `name`, always the same class.

    Raises:
        AttributeError: not a name of ours, so that nnU-Net looks elsewhere.
        ValueError: one of our trainers with an option that does not exist or does not fit.
    """
    base, options = TrainerName.of(name)
    if is_ours(base, options):
        return _variant(name, base, options)
    for trainer in trainer_names():
        if base.casefold() == trainer.casefold():
            raise ValueError(f"there is no trainer {base!r}; did you mean {trainer!r}?")
    raise AttributeError(f"{name!r} is not a trainer of nnunet_skipx")


def options_of(base: type[nnUNetTrainer]) -> dict[str, str]:
    """The options that a trainer's name takes, with what they do."""
    if not issubclass(base, SkipTrainer):
        return {option: text for option, text in OPTIONS.items() if option not in OF_MECHANISMS}
    general = dict(OPTIONS)
    del general[MASK]  # its skips are its own
    if not issubclass(base.architecture, SkipUNet):
        del general["stage2"]  # there is no stock U-Net in it to freeze
    if base.domain_trainer:
        del general["warm"]  # a network per domain, where nnU-Net's loader looks for one
    if base.twin is None:
        del general[TWIN]
    if base.twin is None or base.twin.matches_operations:
        del general[FLOPSTWIN]
    own = {
        option: "the network with " + ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
        for option, kwargs in base.own_options.items()
    }
    numbered = {
        option: (mixin.__doc__ or "").partition(": ")[2].partition("\n")[0] for option, mixin in base.own_mixins.items()
    }
    without = {
        WITHOUT + name: f"twin: {ingredient.removal}"
        for name, ingredient in base.ingredients.items()
        if base.twin is None or not is_the_twin(base.twin, {name: ingredient})  # which has that shorter name
    }
    return own | numbered | without | general


@functools.cache
def _variant(name: str, base_name: str, options: tuple[str, ...]) -> type[nnUNetTrainer]:
    base = _base(base_name, options)
    _check_options(name, base_name, base, options)
    if not options:
        return base
    namespace: dict[str, Any] = {"__module__": __name__, "__doc__": f"{base_name} with {', '.join(options)}."}
    mixins: list[type] = []
    epochs = [int(match[1] or 1) for option in options if (match := EPOCHS.fullmatch(option))]
    if epochs:  # first, so that it has the last word on the number of epochs
        namespace["epochs"] = epochs[0]
        mixins.append(EpochsOption)
    if issubclass(base, SkipTrainer):  # ahead of the general ones, whose optimisers they narrow down
        for option in options:
            if kind(option) in base.own_mixins:
                mixins.append(base.own_mixins[kind(option)])
                namespace["number"] = int(option.lstrip(ascii_lowercase))
    mixins += [mixin for option, mixin in MIXINS.items() if option in options]
    if issubclass(base, SkipTrainer):
        namespace |= network_of(base, options)
    beneath = [UnawaitedSteps] if "fast" in options else []
    bases = (*mixins, base, *beneath) if issubclass(base, SkipTrainer) else (*mixins, *beneath, base)
    return type(name, bases, namespace)


def _base(name: str, options: tuple[str, ...]) -> type[nnUNetTrainer]:
    """The class that a variant is made of."""
    if name == BASELINE and not TrainerName(name, options).masks:
        return nnUNetTrainer
    found = CUT if name == BASELINE else name
    return cast(type[nnUNetTrainer], getattr(importlib.import_module(f"{trainers_package.__name__}.{found}"), found))


def network_of(base: type[SkipTrainer], options: Sequence[str]) -> dict[str, Any]:
    """What options say of a trainer's network, as attributes of the variant."""
    masked = {option: {"kept": option.removeprefix(SKIPS)} for option in options if kind(option) == MASK}
    meanings = {**base.own_options, **masked, "demo": base.demo_kwargs}
    whole = {key: value for option, kwargs in meanings.items() if option in options for key, value in kwargs.items()}
    removals = removals_of(base, options)
    attributes: dict[str, Any] = {"whole_kwargs": whole, "architecture_kwargs": dict(whole)}
    for removal in removals.values():
        attributes["architecture_kwargs"] |= removal.network
        attributes |= removal.trainer
    if FLOPSTWIN in options:
        attributes["budget"] = "operations"
    elif any(removal.resizes for removal in removals.values()):
        attributes["budget"] = "parameters"
    return attributes | {"removed": removed(base, options)}


def removals_of(base: type[SkipTrainer], options: Sequence[str]) -> dict[str, Ingredient | Twin]:
    """The options that make a twin, with what they do without."""
    known: dict[str, Ingredient | Twin] = {WITHOUT + name: ingredient for name, ingredient in base.ingredients.items()}
    if base.twin is not None:
        known |= {TWIN: base.twin, FLOPSTWIN: base.twin}
    return {option: known[option] for option in options if option in known}


def removed(base: type[SkipTrainer], options: Sequence[str]) -> tuple[str, ...]:
    """The ingredients that a variant does without."""
    gone = {option.removeprefix(WITHOUT) for option in options if option.startswith(WITHOUT)}
    gone |= {name for option in gone & base.ingredients.keys() for name in base.ingredients[option].takes_along}
    if base.twin is not None and {TWIN, FLOPSTWIN} & set(options):
        gone |= set(base.twin.removes)
    return tuple(name for name in base.ingredients if name in gone)


def _check_options(name: str, base_name: str, base: type[nnUNetTrainer], options: tuple[str, ...]) -> None:
    allowed = options_of(base)
    if base_name == BASELINE:
        allowed[MASK] = OPTIONS[MASK]
    kinds = [kind(option) for option in options]
    if wrong := [option for option, which in zip(options, kinds, strict=True) if which not in allowed]:
        problem = ""
        if kind(wrong[0]) in OPTIONS:
            masked = [f"{base_name}_{SKIPS}{mask}" for mask in TrainerName(base_name, options).masks]
            whose = masked[0] if masked and base_name == BASELINE else base_name
            problem = f"{whose} {what_it_lacks(base, kind(wrong[0]))}, so it takes no '_{wrong[0]}'"
        raise ValueError(unknown_option(name, base_name, wrong[0], allowed, problem))
    if "elastic" in options and "gpuaug" not in options:
        raise ValueError(f"{name!r}: '_elastic' deforms on the GPU, with the rest of the augmentation: add '_gpuaug'")
    numbered = base.own_mixins if issubclass(base, SkipTrainer) else {}
    if sum(which in numbered for which in kinds) > 1:
        raise ValueError(f"{name!r}: of {', '.join(f'_{option}' for option in numbered)} a name has one at most")
    if len(set(kinds)) < len(kinds):
        raise ValueError(f"{name!r} gives an option twice; each may stand once")
    for mask in TrainerName(base_name, options).masks:
        refuse_whole_mask(TrainerName(base_name, options), mask)
    usual = DemoOption.demo_epochs if "demo" in options else USUAL_EPOCHS
    if f"{usual}epochs" in options:
        raise ValueError(f"{name!r} is trained for {usual} epochs anyway: leave '_{usual}epochs' out")
    if issubclass(base, SkipTrainer):
        refuse_meaningless(name, base, options, removals_of(base, options))


def what_it_lacks(base: type[nnUNetTrainer], option: str) -> str:
    """Why a trainer does not take a general option."""
    if not issubclass(base, SkipTrainer):
        return "has no skip mechanism"
    if option == MASK:
        return "says itself which skips there are"
    if option == "stage2":
        return "contains no stock U-Net"
    if option == "warm":
        return "has a network per domain"
    if base.twin is None:
        return "has no twin"
    return f"has a twin with as many parameters and as many operations, {base.__name__}_twin"


def __getattr__(name: str) -> Any:
    """Variants as attributes of this module, for pickle."""
    if not name.startswith(BASELINE):
        raise AttributeError(name)
    return trainer_class(name)
