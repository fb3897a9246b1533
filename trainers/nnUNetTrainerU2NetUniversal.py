"""3D U2-Net (MICCAI 2019) over several data sets at once; `skipx universal create` puts them together."""

from nnunet_skipx.trainers.nnUNetTrainerU2Net import CONVOLUTIONS

from nnunet_skipx.universal.trainer import UniversalTrainer


class nnUNetTrainerU2NetUniversal(UniversalTrainer):
    """One 3D U2-Net for several data sets: shared pointwise convolutions, everything else a domain's own.

    `_full`: full convolutions, all shared but stem, norms and heads. `_series`, `_parallel`: with residual adapters.
    """

    own_options = CONVOLUTIONS
    demo_learning_rate = 1.2e-2  # as nnUNetTrainerU2Net
