"""UNet 3+ (ICASSP 2020): every decoder stage sees all finer encoder maps and all coarser decoder maps."""

from nnunet_skipx.architectures.unet3plus import UNet3Plus
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin


class nnUNetTrainerUNet3Plus(SkipTrainer):
    """nnU-Net's encoder with UNet 3+'s decoder and its full-scale skips.

    `_published`: 64 channels per source at every stage, as in the paper. Twin: every stage sees its own skip and the
    decoder map below, as in a U-Net, at the same width of its stages.
    """

    architecture = UNet3Plus
    ingredients = {
        "finer": Ingredient(
            "finer encoder maps",
            "no stage sees encoder maps finer than its own",
            {"finer": False},
            resizes=True,
            families=("fusion",),
        ),
        "coarser": Ingredient(
            "coarser decoder maps",
            "no stage sees decoder maps coarser than the next",
            {"coarser": False},
            resizes=True,
            families=("dense re-injection",),
        ),
    }
    twin = Twin(tuple(ingredients), {"finer": False, "coarser": False}, resizes=True)
    own_options = {"published": {"width": 64}}
