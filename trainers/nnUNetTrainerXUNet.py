"""XUNet: every decoder stage sees every encoder stage."""

from nnunet_skipx.architectures import XUNet
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin

OWN_LEVEL = {"mechanism": "own_level"}


class nnUNetTrainerXUNet(SkipTrainer):
    """nnU-Net with XUNet's cross-over skips.

    `_attn`: with channel attention over what each decoder stage sees. Twin: every stage sees its own level only, which
    is nnU-Net's U-Net, made wider.
    """

    architecture = XUNet
    ingredients = {
        "crossover": Ingredient(
            "cross-over", "every stage sees its own level only", OWN_LEVEL, resizes=True, families=("fusion",)
        ),
    }
    twin = Twin(("crossover",), OWN_LEVEL, resizes=True)
    own_options = {"attn": {"attention": True}}
    idle = {"attn": ("twin", "flopstwin", "without-crossover")}  # there is no concatenation to weigh
