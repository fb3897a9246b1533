"""UNet++ (DLMIA 2018, IEEE TMI 2020): nested dense skips, prunable."""

from nnunet_skipx.architectures.unetplusplus import UNetPlusPlus
from nnunet_skipx.training.branches import BranchTrainer
from nnunet_skipx.training.options.pruned import PrunedOption
from nnunet_skipx.training.twins import Ingredient, Twin

NO_NODES = {"nodes": "none"}


class nnUNetTrainerUNetPlusPlus(BranchTrainer):
    """nnU-Net with UNet++'s nested dense skips, a quarter as wide as nnU-Net's stages, and a head for every depth.

    `_published`: nested nodes as wide as their stages, as in the papers. `_pruned2`: a trained one, cut to depth 2.
    Twin: no nested nodes, which is nnU-Net's U-Net, made wider.
    """

    architecture = UNetPlusPlus
    ingredients = {
        "nodes": Ingredient(
            "nested nodes",
            "skips reach the decoder as they are",
            NO_NODES,
            resizes=True,
            takes_along=("dense", "heads"),
            families=("fusion",),
        ),
        "dense": Ingredient(
            "dense connections",
            "nested nodes see only the one before them",
            {"nodes": "chain"},
            resizes=True,
            families=("dense re-injection",),
        ),
        "heads": Ingredient("nested heads", "only the decoder has heads", {"heads": False}),
    }
    twin = Twin(("nodes", "dense", "heads"), NO_NODES, resizes=True)
    own_options = {"published": {"narrowing": 1}}
    own_mixins = {"pruned{N}": PrunedOption}
    idle = {"published": ("twin", "flopstwin")}
