"""Whole networks: nnU-Net's encoder from the plans, a skip mechanism, nnU-Net's decoder."""

from nnunet_skipx.architectures.msaunet import MSAUNet
from nnunet_skipx.architectures.u2net import U2Net
from nnunet_skipx.architectures.udtransnet import UDTransNet
from nnunet_skipx.architectures.unet import SkipUNet
from nnunet_skipx.architectures.utanet import UTANet
from nnunet_skipx.architectures.xunet import XUNet

__all__ = ["MSAUNet", "SkipUNet", "U2Net", "UDTransNet", "UTANet", "XUNet"]
