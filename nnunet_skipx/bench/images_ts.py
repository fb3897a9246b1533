"""A data set's test images and their labels, where nnU-Net has them: imagesTs and labelsTs of nnUNet_raw."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunet_skipx.nnunet.folders import raw_data

CHANNEL = "_0000"  # how the name of an image's file ends, before its ending


@dataclass(frozen=True)
class ImagesTs:
    """The test set.

    cases: name -> files, one per channel; where labels are, only those that have one. labels: folder of the label maps;
    None without any. unlabelled: images that are left out for want of a label.
    """

    cases: Mapping[str, tuple[Path, ...]]
    labels: Path | None
    unlabelled: int = 0

    def label_files(self, ending: str) -> list[Path]:
        """Of all cases; none without labels."""
        return [] if self.labels is None else [self.labels / f"{case}{ending}" for case in self.cases]


def read_images_ts(dataset: str, dataset_json: Mapping[str, Any]) -> ImagesTs:
    """The test set of a data set, as models with that dataset.json can predict it.

    Raises:
        FileNotFoundError: nnUNet_raw is not set, or has no test images.
        ValueError: a case has other channels than the models take, is a training case, or a label has no image.
    """
    folder, ending = raw_data() / dataset, dataset_json["file_ending"]
    images = _cases(folder / "imagesTs", ending)
    if not images:
        raise FileNotFoundError(
            f"{folder / 'imagesTs'} has no images *{CHANNEL}{ending}: put the test set there, and its labels into "
            f"{folder / 'labelsTs'}"
        )
    channels = [f"{number:04d}" for number in range(len(dataset_json.get("channel_names") or dataset_json["modality"]))]
    for case, files in images.items():
        found = [path.name.removesuffix(ending)[-4:] for path in files]
        if found != channels:
            raise ValueError(
                f"case {case} in {folder / 'imagesTs'} has the channels {', '.join(found)}, but the models take "
                f"{', '.join(channels)}: name one file {case}_XXXX{ending} for each of these"
            )
    if known := sorted(images.keys() & _cases(folder / "imagesTr", ending).keys()):
        raise ValueError(
            f"case {known[0]} is in imagesTs and in imagesTr of {folder}: a network that was trained on it cannot be "
            "tested on it, so take it out of imagesTs, or give another case another name"
        )
    return _with_labels(images, folder, ending)


def _with_labels(images: dict[str, tuple[Path, ...]], folder: Path, ending: str) -> ImagesTs:
    labels = {path.name.removesuffix(ending) for path in (folder / "labelsTs").glob(f"*{ending}")}
    if lost := sorted(labels - images.keys()):
        raise ValueError(
            f"case {lost[0]} has a label in {folder / 'labelsTs'}, but no image {lost[0]}{CHANNEL}{ending} in "
            f"{folder / 'imagesTs'}: restore the image, or take the label out"
        )
    if not labels:
        return ImagesTs(images, None)
    kept = {case: files for case, files in images.items() if case in labels}
    return ImagesTs(kept, folder / "labelsTs", len(images) - len(kept))


def _cases(folder: Path, ending: str) -> dict[str, tuple[Path, ...]]:
    """Name -> files in the order of the channels; empty without the folder."""
    cases: dict[str, tuple[Path, ...]] = {}
    for path in sorted(folder.glob(f"*_[0-9][0-9][0-9][0-9]{ending}")):
        case = path.name.removesuffix(ending)[: -len(CHANNEL)]
        cases[case] = (*cases.get(case, ()), path)
    return cases
