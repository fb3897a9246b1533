"""UTANet (AAAI 2025): task-adaptive mixture of skip connections."""
from nnunet_skipx.architectures import UTANet
from nnunet_skipx.training.balance import BalancedTrainer


class nnUNetTrainerUTANet(BalancedTrainer):
    """nnU-Net with UTANet's TA-MoSC on the skips and its balance loss (weight 0.01; the source publishes none).

    Twin: every gate weighs the four experts alike, no balance loss.
    """

    architecture = UTANet
    twin_kwargs = {"routing": "uniform"}
    demo_kwargs = {"embedding": 16}
