"""XUNet: every decoder stage sees every encoder stage."""
from nnunet_skipx.architectures import XUNet
from nnunet_skipx.training.trainer import SkipTrainer


class nnUNetTrainerXUNet(SkipTrainer):
    """nnU-Net with XUNet's cross-over skips.

    `_attn`: with channel attention over what each decoder stage sees. Twin: own level only, the decoder widened to as
    many parameters.
    """

    architecture = XUNet
    twin_kwargs = {"mechanism": "own_level"}
    own_options = {"attn": {"attention": True}}
