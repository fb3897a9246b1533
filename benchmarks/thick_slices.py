"""A second domain from an MSD task folder: other slices, other contrast, other labels, the same anatomy.

`write_thick_slices(Task04_Hippocampus, parent)` writes `parent/Task06_Thick`: resampled to 3 mm along the last axis,
intensities inverted within the image's range, labels 1 and 2 swapped.
"""

import json
import shutil
from pathlib import Path

import SimpleITK

NAME = "Task06_Thick"
SLICE_MM = 3.0


def write_thick_slices(source: Path, parent: Path) -> Path:
    """Write the task folder and return it; an existing one is left as it is."""
    target = parent / NAME
    if target.is_dir():
        return target
    draft = parent / f".{NAME}"
    shutil.rmtree(draft, ignore_errors=True)
    for folder in ("imagesTr", "imagesTs", "labelsTr"):
        (draft / folder).mkdir(parents=True)
        for path in sorted((source / folder).glob("[!.]*.nii.gz")):
            change = other_labels if folder == "labelsTr" else other_contrast
            SimpleITK.WriteImage(change(SimpleITK.ReadImage(str(path))), str(draft / folder / path.name))
    content = json.loads((source / "dataset.json").read_text())
    names = content["labels"]
    content |= {"name": "Thick", "labels": {**names, "1": names["2"], "2": names["1"]}}
    (draft / "dataset.json").write_text(json.dumps(content, indent=1))
    draft.rename(target)
    return target


def other_contrast(image: SimpleITK.Image) -> SimpleITK.Image:
    """Bright becomes dark, in thick slices."""
    values = SimpleITK.Cast(image, SimpleITK.sitkFloat32)
    extremes = SimpleITK.MinimumMaximumImageFilter()
    extremes.Execute(values)
    inverted = extremes.GetMaximum() + extremes.GetMinimum() - values
    return thick(inverted, SimpleITK.sitkLinear)


def other_labels(labels: SimpleITK.Image) -> SimpleITK.Image:
    """1 becomes 2, 2 becomes 1, in thick slices."""
    swapped = SimpleITK.ChangeLabel(labels, {1: 2, 2: 1})
    return thick(SimpleITK.Cast(swapped, SimpleITK.sitkUInt8), SimpleITK.sitkNearestNeighbor)


def thick(image: SimpleITK.Image, interpolation: int) -> SimpleITK.Image:
    """The image with `SLICE_MM` along its last axis."""
    spacing = [*image.GetSpacing()[:2], SLICE_MM]
    depth = max(1, round(image.GetSize()[2] * image.GetSpacing()[2] / SLICE_MM))
    return SimpleITK.Resample(
        image,
        [*image.GetSize()[:2], depth],
        SimpleITK.Transform(),
        interpolation,
        image.GetOrigin(),
        spacing,
        image.GetDirection(),
        0.0,
        image.GetPixelID(),
    )
