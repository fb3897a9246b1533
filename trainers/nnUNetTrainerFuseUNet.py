"""FuseUNet (ICML 2025): decoding as a multistep integration over the skips."""

from nnunet_skipx.architectures.fuseunet import FuseUNet
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin

STOCK = {"decoding": "stock"}


class nnUNetTrainerFuseUNet(SkipTrainer):
    """nnU-Net's encoder with FuseUNet's decoder, a fraction of the stock one's size.

    Twin: nnU-Net's U-Net, made narrower.
    """

    architecture = FuseUNet
    ingredients = {
        "integration": Ingredient(
            "multistep integration", "nnU-Net's decoder, narrower", STOCK, resizes=True, takes_along=("memory",)
        ),
        "memory": Ingredient("memory of earlier steps", "every step is one of Euler's, of order 1", {"order": 1}),
    }
    families = ("fusion",)
    twin = Twin(("integration", "memory"), STOCK, resizes=True)
