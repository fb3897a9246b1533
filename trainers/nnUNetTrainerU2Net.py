"""3D U2-Net (MICCAI 2019): separable convolutions with per-domain adapters, here for one data set."""

from nnunet_skipx.architectures import U2Net
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Ingredient, Twin
from nnunet_skipx.universal.adaptation import AdaptOption
from nnunet_skipx.universal.part import PartOption

CONVOLUTIONS = {
    "source": {"strided": "source"},
    "full": {"convolutions": "full"},
    "series": {"convolutions": "series"},
    "parallel": {"convolutions": "parallel"},
}


class nnUNetTrainerU2Net(SkipTrainer):
    """nnU-Net's training of 3D U2-Net's separable residual network, a small fraction of nnU-Net's parameters.

    Twin: full convolutions without residual connections, narrowed to the same number of parameters. `_source`: the
    source's full strided convolutions, which hold most of its parameters. `_full`: full convolutions, not narrowed, the
    source's independent network; `_series`, `_parallel`: the same with residual adapters. `_from500`, `_adapt500`: a
    domain of universal run 500.
    """

    architecture = U2Net
    ingredients = {
        "separable": Ingredient(
            "separable convolutions", "full convolutions, narrower", {"convolutions": "full"}, resizes=True
        ),
        "residual": Ingredient(
            "residual connections", "blocks of the encoder do not add their input", {"residual": False}
        ),
    }
    twin = Twin(tuple(ingredients), {"convolutions": "full", "residual": False}, resizes=True)
    own_options = CONVOLUTIONS
    own_mixins = {"from{N}": PartOption, "adapt{N}": AdaptOption}
    demo_learning_rate = 1.2e-2  # at 6e-3 a network this small may not find the second class in 200 iterations
