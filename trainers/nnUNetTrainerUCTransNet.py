"""UCTransNet (AAAI 2022): channels of all skips attend to each other, and the decoder weighs them."""

from nnunet_skipx.architectures.uctransnet import UCTransNet
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin


class nnUNetTrainerUCTransNet(SkipTrainer):
    """nnU-Net with UCTransNet's CCT and CCA on the skips.

    `_published`: CCA takes the means behind instance norm as they are. Twin: neither CCT nor CCA, which is nnU-Net's
    U-Net, made wider.
    """

    architecture = UCTransNet
    ingredients = {
        "cct": Ingredient(
            "channel-wise cross fusion",
            "skips see no other skip",
            {"fusion": False},
            resizes=True,
            families=("attention", "fusion"),
        ),
        "cca": Ingredient(
            "channel-wise cross attention",
            "all channels of a skip count alike",
            {"recalibration": False},
            resizes=True,
            families=("attention",),
        ),
    }
    twin = Twin(tuple(ingredients), {"fusion": False, "recalibration": False}, resizes=True)
    own_options = {"published": {"amplified": False}}
    idle = {"published": ("twin", "flopstwin", "without-cca")}
