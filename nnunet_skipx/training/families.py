"""Families of skip connections: what networks of different papers have in common."""

from collections.abc import Collection

from nnunet_skipx.nnunet.trainer_name import BASELINE, TrainerName
from nnunet_skipx.training.declared import declared
from nnunet_skipx.training.grammar import kind, trainer_names

CONCATENATION, ATTENTION, FUSION, DENSE = "concatenation", "attention", "fusion", "dense re-injection"
FAMILIES = {
    CONCATENATION: "a skip stands beside the map of the stage below",
    ATTENTION: "skips are weighted by what is in the image",
    FUSION: "a decoder stage sees the skips of several stages",
    DENSE: "a map enters again at every stage behind it",
}


def families(trainer: TrainerName, removed: Collection[str] = ()) -> frozenset[str] | None:
    """What a network has, less what comes with the ingredients that are removed from it.

    None for a trainer that is not ours and says nothing, and for options that make another network of it.

    >>> sorted(families(TrainerName.of("nnUNetTrainerAttentionUNet_bf16")))
    ['attention', 'concatenation']
    >>> sorted(families(TrainerName.of("nnUNetTrainerAttentionUNet_twin"), ("gates", "signal")))
    ['concatenation']
    """
    if trainer.base not in (BASELINE, *trainer_names()) or trainer.masks:
        return None
    told = declared(trainer.base)
    if any(kind(option) in (*told.own_options, *told.numbered) for option in trainer.options):
        return None
    brought = {family for name, found in told.families.items() if name not in removed for family in found}
    return frozenset(told.always) | frozenset(brought)
