"""Attention U-Net (MIDL 2018): additive attention gates on the skips."""

from nnunet_skipx.architectures.attentionunet import AttentionUNet
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin

NO_GATES = {"gating": "none"}


class nnUNetTrainerAttentionUNet(SkipTrainer):
    """nnU-Net with Attention U-Net's additive gate on every skip.

    `_published`: without a gate on the finest skip, as in the paper. Twin: no gates, which is nnU-Net's U-Net, made
    wider.
    """

    architecture = AttentionUNet
    ingredients = {
        "gates": Ingredient(
            "attention gates",
            "skips reach the decoder as they are",
            NO_GATES,
            resizes=True,
            takes_along=("signal",),
            families=("attention",),
        ),
        "signal": Ingredient("gating signal", "gates see the skip alone", {"gating": "skip"}, resizes=True),
    }
    twin = Twin(("gates", "signal"), NO_GATES, resizes=True)
    own_options = {"published": {"finest": False}}
    idle = {"published": ("twin", "flopstwin")}
