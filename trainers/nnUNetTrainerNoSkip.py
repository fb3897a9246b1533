"""nnU-Net's U-Net without skips: what UDTransNet's authors compared U-Net's skips with."""

from nnunet_skipx.architectures.noskip import NoSkip
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin

ALL_KEPT = {"kept": "all"}


class nnUNetTrainerNoSkip(SkipTrainer):
    """nnU-Net's U-Net without skips: decoder stages see the stage below only; one or some: nnUNetTrainer_skips{mask}.

    Twin: all skips are there, which is nnU-Net's U-Net, made narrower.
    """

    architecture = NoSkip
    families = ()
    ingredients = {"cut": Ingredient("skip removal", "all skips are there", ALL_KEPT, resizes=True)}
    twin = Twin(("cut",), ALL_KEPT, resizes=True)
