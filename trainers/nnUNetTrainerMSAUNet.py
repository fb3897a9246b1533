"""MSA-UNet: dense re-injection, spatial-channel attention on the skips, one head over all decoder maps."""
from nnunet_skipx.architectures import MSAUNet
from nnunet_skipx.training.trainer import SkipTrainer


class nnUNetTrainerMSAUNet(SkipTrainer):
    """nnU-Net with MSA-UNet's multi-level encoder input, attention on the finest skip and head over all maps.

    Twin: attention returns its input; re-injection and head are kept.
    """

    architecture = MSAUNet
    twin_kwargs = {"attention": False}
    own_options = {"alllevels": {"attention_levels": "all"}, "antialias": {"antialias": True}}
