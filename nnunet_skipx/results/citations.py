"""The papers that the compared trainers are of."""

from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.nnunet.trainer_name import BASELINE, TrainerName

NNUNET = (
    "Isensee F, Jaeger PF, Kohl SAA, Petersen J, Maier-Hein KH. nnU-Net: a self-configuring method for deep "
    "learning-based biomedical image segmentation. Nature Methods 18 (2021), 203-211."
)


def citation(trainer: str) -> str:
    """The reference of a trainer, nnU-Net's for its own; empty where none is noted, or there is no such trainer."""
    if TrainerName.of(trainer).base == BASELINE:
        return NNUNET
    try:
        found = find_trainer(trainer)
    except (ValueError, ImportError, RuntimeError):  # of another environment
        return ""
    return str(getattr(found, "citation", ""))
