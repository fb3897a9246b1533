"""How published evaluation scripts count Dice where a class is absent, so that their numbers can be met."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Metrics = Mapping[str, float]  # of one case and class, as nnU-Net's summary.json has them
DiceRule = Callable[[Metrics], float]


def nnunet_dice(metrics: Metrics) -> float:
    """nnU-Net's: NaN, which no mean counts, where the class is in neither reference nor prediction."""
    return float(metrics["Dice"])


def transunet_dice(metrics: Metrics) -> float:
    """TransUNet's script: 0 where the prediction lacks the class, even if rightly; 1 where only the reference does."""
    if metrics["n_pred"] == 0:
        return 0.0
    return 1.0 if metrics["n_ref"] == 0 else float(metrics["Dice"])


def udtransnet_dice(reference: np.ndarray, prediction: np.ndarray) -> float:
    """UDTransNet's script: mean over the slices of two masks `(z, y, x)`; 1 for a slice with the class in neither."""
    shared = (reference & prediction).sum((1, 2))
    either = reference.sum((1, 2)) + prediction.sum((1, 2))
    return float(np.where(either == 0, 1.0, 2 * shared / np.maximum(either, 1)).mean())


Convention = Literal["nnunet", "transunet", "udtransnet"]


@dataclass(frozen=True)
class DiceConvention:
    """One way to count, and the same in words: from the numbers of summary.json, or from the label maps' slices."""

    words: str
    rule: DiceRule = nnunet_dice
    slice_by_slice: bool = False


CONVENTIONS: dict[Convention, DiceConvention] = {
    "nnunet": DiceConvention(
        "A class that is in neither reference nor prediction of a case is left out of its mean, as nnU-Net does."
    ),
    "transunet": DiceConvention(
        "Counted as TransUNet's script does: a class that is not predicted has Dice 0, even where the reference lacks "
        "it, too; one that only the prediction has counts 1.",
        transunet_dice,
    ),
    "udtransnet": DiceConvention(
        "Counted as UDTransNet's script does: Dice slice by slice along the array's first axis, 1 for a slice that has "
        "the class in neither reference nor prediction, then the mean over the slices of a case.",
        slice_by_slice=True,
    ),
}
