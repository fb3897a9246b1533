"""3D U2-Net (MICCAI 2019): separable convolutions with per-domain adapters, here for one data set."""
from nnunet_skipx.architectures import U2Net
from nnunet_skipx.training.trainer import SkipTrainer


class nnUNetTrainerU2Net(SkipTrainer):
    """nnU-Net's training of 3D U2-Net's separable residual network, a small fraction of nnU-Net's parameters.

    Twin: full convolutions in the same wiring, narrowed to the same number of parameters. `_source`: the source's full
    strided convolutions, which hold most of its parameters.
    """

    architecture = U2Net
    twin_kwargs = {"convolutions": "full", "narrowed": True}
    own_options = {"source": {"strided": "source"}}
    demo_learning_rate = 1.2e-2  # at 6e-3 a network this small may not find the second class in 200 iterations
