"""Who found what was there, and nothing where nothing was."""

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.detection import detection_table
from nnunet_skipx.report.sections.section import Section


def detection_section(comparison: Comparison) -> Section:
    """Who found what was there, and nothing where nothing was."""
    return Section(
        "Detection",
        "A structure is there, or found, where it has a voxel. Sensitivity: of the cases that have it, those where it "
        "was found; specificity: of the cases that lack it, those where nothing was. Each training counts.",
        None if comparison.presence is None else detection_table(comparison.presence),
    )
