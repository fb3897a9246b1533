"""Combinations of options that mean nothing, because they would build the same network as a shorter name."""

import itertools
from collections.abc import Mapping, Sequence

from nnunet_skipx.nnunet.trainer_name import FLOPSTWIN, SKIPS, TWIN, WITHOUT, TrainerName
from nnunet_skipx.training.grammar import kind
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin


def refuse_meaningless(
    name: str, base: type[SkipTrainer], options: Sequence[str], removals: Mapping[str, Ingredient | Twin]
) -> None:
    """Raise ValueError, with the shorter name's option, if two of the options of `name` exclude each other.

    removals: those of the options that make a twin.
    """
    twins = [option for option in removals if option in (TWIN, FLOPSTWIN)]
    if twins and len(removals) > 1:
        a, b = list(removals)[:2]
        raise ValueError(f"{name!r}: '_{a}' and '_{b}' are twins of their own: leave one of the two out")
    for a, b in itertools.permutations(options, 2):
        if b in base.idle.get(a, ()):
            raise ValueError(f"{name!r}: '_{a}' changes nothing beside '_{b}': leave '_{a}' out")
    refuse_rivals(name, base, options, removals)
    if len(removals) > 1 and base.twin is not None and is_the_twin(base.twin, removals):
        raise ValueError(f"{name!r}: together, {' and '.join(f'_{r}' for r in removals)} are '_twin': write that")
    refuse_foreign(name, base, options, removals)


def refuse_rivals(
    name: str, base: type[SkipTrainer], options: Sequence[str], removals: Mapping[str, Ingredient | Twin]
) -> None:
    """Two options that set the same argument: one of them would have no say."""
    sets = {option: set(base.own_options[option]) for option in options if option in base.own_options}
    sets |= {option: {*removal.network, *removal.trainer} for option, removal in removals.items()}
    for (a, a_sets), (b, b_sets) in itertools.combinations(sets.items(), 2):
        if both := sorted(a_sets & b_sets):
            raise ValueError(f"{name!r}: '_{a}' and '_{b}' both say what {both[0]!r} is: leave one of the two out")


def is_the_twin(twin: Twin, removals: Mapping[str, Ingredient | Twin]) -> bool:
    """Whether several removals are, together, that of the twin."""
    network = {key: value for removal in removals.values() for key, value in removal.network.items()}
    trainer = {key: value for removal in removals.values() for key, value in removal.trainer.items()}
    return network == dict(twin.network) and trainer == dict(twin.trainer)


def refuse_whole_mask(name: TrainerName, mask: str) -> None:
    """Raise ValueError where a mask keeps every skip, or none: such a network has a shorter name."""
    if len(set(mask)) == 1:
        what, base = ("every skip", name.base) if mask[0] == "1" else ("no skip", f"{name.base}NoSkip")
        shorter = TrainerName(base, name.without(f"{SKIPS}{mask}").options).text
        raise ValueError(f"{name.text!r}: '_{SKIPS}{mask}' keeps {what}: write {shorter}")


def refuse_foreign(
    name: str, base: type[SkipTrainer], options: Sequence[str], removals: Mapping[str, Ingredient | Twin]
) -> None:
    """A twin whose widths are its own takes no weights from elsewhere."""
    resized = [option for option, removal in removals.items() if removal.resizes or option == FLOPSTWIN]
    if resized and "stage2" in options:
        raise ValueError(
            f"{name!r}: the U-Net of '_{resized[0]}' is wider or narrower than the plans say, so that no trained U-Net "
            "fits into it for '_stage2': leave one of the two out"
        )
    mixins = {option: base.own_mixins.get(kind(option)) for option in options}
    refuse_unfit(name, base, mixins, removals)
    numbered = [option for option, mixin in mixins.items() if getattr(mixin, "of_a_run", False)]
    if starts := [option for option in (*numbered, "stage2") if option in options and "warm" in options]:
        raise ValueError(f"{name!r}: '_{starts[0]}' starts from trained weights anyway: leave '_warm' out")
    if removals and numbered:
        raise ValueError(
            f"{name!r}: a universal run has no twins, so '_{numbered[0]}' finds no weights for "
            f"'_{next(iter(removals))}': leave one of the two out"
        )


def refuse_unfit(
    name: str,
    base: type[SkipTrainer],
    mixins: Mapping[str, type | None],
    removals: Mapping[str, Ingredient | Twin],
) -> None:
    """An option that needs an ingredient beside one that takes it out."""
    for option, mixin in mixins.items():
        for removal, what in removals.items():
            gone = what.removes if isinstance(what, Twin) else (removal.removeprefix(WITHOUT), *what.takes_along)
            if lacking := [ingredient for ingredient in getattr(mixin, "needs", ()) if ingredient in gone]:
                raise ValueError(
                    f"{name!r}: '_{option}' needs the {base.ingredients[lacking[0]].noun} that '_{removal}' does "
                    "without: leave one of the two out"
                )
