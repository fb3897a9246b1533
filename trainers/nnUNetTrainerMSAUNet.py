"""MSA-UNet: dense re-injection, spatial-channel attention on the skips, one head over all decoder maps."""

from nnunet_skipx.architectures import MSAUNet
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin


class nnUNetTrainerMSAUNet(SkipTrainer):
    """nnU-Net with MSA-UNet's multi-level encoder input, attention on the finest skip and head over all maps.

    Twin: none of the three, which is nnU-Net's U-Net, made wider.
    """

    architecture = MSAUNet
    ingredients = {
        "reinjection": Ingredient(
            "re-injection",
            "encoder stages see the stage above only",
            {"reinjection": False},
            resizes=True,
            families=("dense re-injection",),
        ),
        "attention": Ingredient(
            "attention",
            "skips reach the decoder as they are",
            {"attention": False},
            resizes=True,
            families=("attention",),
        ),
        "head": Ingredient("joint head", "every decoder map has a head of its own", {"head": False}, resizes=True),
    }
    twin = Twin(tuple(ingredients), {"reinjection": False, "attention": False, "head": False}, resizes=True)
    own_options = {"alllevels": {"attention_levels": "all"}, "antialias": {"antialias": True}}
    idle = {
        "alllevels": ("twin", "flopstwin", "without-attention"),
        "antialias": ("twin", "flopstwin", "without-reinjection"),
    }
