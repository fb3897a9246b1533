"""UDTransNet (Neural Networks 2024): skips through a dual attention transformer and recalibration in the decoder."""

from nnunet_skipx.architectures import UDTransNet
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin


class nnUNetTrainerUDTransNet(SkipTrainer):
    """nnU-Net with UDTransNet's DAT and channel-wise DRA on the skips.

    `_dras`: spatial DRA. `_published`: heads merged as the published code does. Twin: no attention, queries, keys and
    values are summed at each token's own position.
    """

    architecture = UDTransNet
    ingredients = {
        "cfa": Ingredient(
            "channel fusion attention",
            "queries, keys and values are summed",
            {"fusion": False},
            families=("attention",),
        ),
        "ssa": Ingredient(
            "spatial selection attention",
            "tokens see their own position only",
            {"selection": False},
            families=("attention",),
        ),
        "dra": Ingredient(
            "recalibration attention",
            "queries, keys and values are summed",
            {"recalibration": "neutral"},
            families=("attention",),
        ),
    }
    families = ("concatenation", "fusion")
    twin = Twin(tuple(ingredients), {"fusion": False, "selection": False, "recalibration": "neutral"})
    own_options = {"dras": {"recalibration": "spatial"}, "published": {"merge": "published"}}
    demo_kwargs = {"embedding": 64, "dropout": 0.0}
    demo_learning_rate = 3e-3  # at 6e-3 the decoder, which sees tokens only, stays behind in 200 iterations
