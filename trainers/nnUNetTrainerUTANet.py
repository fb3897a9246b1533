"""UTANet (AAAI 2025): task-adaptive mixture of skip connections."""

from nnunet_skipx.architectures import UTANet
from nnunet_skipx.training.balance import BalancedTrainer
from nnunet_skipx.training.twins import Ingredient, Twin


class nnUNetTrainerUTANet(BalancedTrainer):
    """nnU-Net with UTANet's TA-MoSC on the skips and its balance loss (weight 0.01; the source publishes none).

    Twin: every gate weighs the four experts alike, no balance loss.
    """

    architecture = UTANet
    ingredients = {
        "adaptivity": Ingredient(
            "adaptivity",
            "gates learn one choice of experts for all images",
            {"routing": "constant"},
            families=("attention",),
        ),
        "mixing": Ingredient(
            "mixing",
            "every skip takes one expert of its own, without gates",
            {"routing": "fixed"},
            takes_along=("adaptivity", "balance"),
        ),
        "balance": Ingredient("balance loss", "no balance loss", trainer={"balance_weight": 0.0}),
    }
    families = ("concatenation", "fusion")
    twin = Twin(("adaptivity", "balance"), {"routing": "uniform"}, matches_operations=True)
    idle = {"without-balance": ("without-mixing",)}  # there are no gates to balance
    demo_kwargs = {"embedding": 16}
