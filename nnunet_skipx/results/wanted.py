"""Which metrics are taken from the label maps, and their names, in which their settings stand."""

import math
from dataclasses import dataclass

from nnunet_skipx.results.lesions import LesionRule

HD95, HD95_WITH_MISSES = "HD95 (mm, found only)", "HD95 with misses (mm, image diagonal)"
BINS = 10  # of probabilities
CALIBRATION = (f"ECE ({BINS} bins)", "Brier score (x 1000)")


@dataclass(frozen=True)
class Wanted:
    """Which metrics to take.

    nsd_mm: NSD at this tolerance, and HD95; None: neither. lesions: how lesions are counted; None: not at all.
    slice_dice: Dice slice by slice. calibration: of the probabilities that lie beside the predictions.
    """

    nsd_mm: float | None = None
    lesions: LesionRule | None = None
    slice_dice: bool = False
    calibration: bool = False

    def __post_init__(self) -> None:
        if self.nsd_mm is not None and not 0 <= self.nsd_mm < math.inf:
            raise ValueError(
                f"--nsd-mm {self.nsd_mm:g} is no distance: give millimetres, for example the spacing of the data"
            )


def reach(nsd_mm: float) -> float:
    """NSD's tolerance in mm for a tool: a distance that equals it but for rounding (0.7 + 0.7 and 1.4) lies within."""
    return nsd_mm * (1 + 1e-6)


def nsd_name(nsd_mm: float) -> str:
    """NSD with its tolerance, without which it says nothing."""
    return f"NSD ({nsd_mm:g} mm)"
