"""Whole networks: nnU-Net's encoder from the plans, a skip mechanism, nnU-Net's decoder."""
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.architectures.utanet import UTANet

__all__ = ["SkipUNet", "UTANet"]
