"""A trained fold as nnU-Net left it: its network in nnU-Net's predictor, and the cases that it is validated on."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.paths import nnUNet_preprocessed
from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class, nnUNetBaseDataset
from nnunetv2.utilities.label_handling.label_handling import LabelManager, determine_num_input_channels
from torch._dynamo import OptimizedModule
from torch.nn import functional as F

from nnunet_skipx.nnunet.as_planned import LONGEST_REASON
from nnunet_skipx.nnunet.evaluated import summary_file
from nnunet_skipx.nnunet.json_files import read_splits
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.weights import load_networks
from nnunet_skipx.results.atlas import dice
from nnunet_skipx.results.summary import read_summary

AXES = 3


@dataclass(frozen=True)
class TrainedFold:
    """A trained network in nnU-Net's predictor, and the preprocessed cases that its fold is validated on."""

    predictor: nnUNetPredictor
    dataset: nnUNetBaseDataset

    @classmethod
    def load(cls, folder: Path, fold: int, device: str, checkpoint: str) -> "TrainedFold":
        """From a model folder and nnUNet_preprocessed, with errors as of `validation_cases`."""

        predictor = nnUNetPredictor(use_mirroring=False, device=torch.device(device), allow_tqdm=False)
        torch.backends.cudnn.benchmark = False  # the predictor turns it on; what it picks differs from call to call
        load_networks(predictor, folder, (fold,), checkpoint)
        if isinstance(predictor.network, OptimizedModule):  # it would be compiled once more for every cut
            predictor.network = predictor.network._orig_mod
        return cls(predictor, validation_cases(predictor, folder, fold))

    @property
    def network(self) -> torch.nn.Module:
        """The network, not compiled."""
        network: torch.nn.Module = self.predictor.network
        return network

    @property
    def cases(self) -> list[str]:
        """Names of the validation cases, sorted."""
        identifiers: list[str] = self.dataset.identifiers
        return identifiers

    def dice(self, case: str, donor: str | None = None) -> float:
        """Mean Dice over the classes of a case, predicted by the network as it is now.

        With a donor, the network sees twice the channels: those of the case's image, then those of the donor's, resized
        to the same size. nnU-Net cuts the same windows out of both.
        """
        image, reference = self.stored(case)
        if donor is not None:
            image = torch.cat([image, resized(self.stored(donor)[0], image.shape[1:])])
        logits = self.predictor.predict_sliding_window_return_logits(image)
        return mean_dice(logits.cpu(), reference[0], self.predictor.label_manager)

    def stored(self, case: str) -> tuple[torch.Tensor, np.ndarray]:
        """A case's preprocessed image and label map `(C, z, y, x)`; ValueError for files that are broken or others."""
        try:
            image, reference = (np.array(array[:]) for array in self.dataset.load_case(case)[:2])
        except Exception as error:  # blosc2, numpy and pickle raise anything
            raise self.unusable(case, f"{type(error).__name__}: {error}") from error
        plans, configuration = self.predictor.plans_manager, self.predictor.configuration_manager
        channels = determine_num_input_channels(plans, configuration, self.predictor.dataset_json)
        if image.ndim != AXES + 1 or len(image) != channels or reference.shape != (1, *image.shape[1:]):
            shapes = f"an image of {image.shape} and a label map of {reference.shape}"
            raise self.unusable(case, f"{shapes}, expected ({channels}, z, y, x) and (1, z, y, x)")
        if image.dtype.kind != "f" or reference.dtype.kind not in "iu" or not np.isfinite(image).all():
            raise self.unusable(case, "values that are no intensities or no labels")
        return torch.from_numpy(image), reference

    def unusable(self, case: str, why: str) -> ValueError:
        """The error for a case that cannot be read, with the command that makes it again."""
        plans = self.predictor.plans_manager
        again = f"nnUNetv2_preprocess -d {dataset_number(plans.dataset_name)} -plans_name {plans.plans_name}"
        files = Path(self.dataset.source_folder) / case
        return ValueError(f"the preprocessed case {files} cannot be used ({why}): make it again with {again}")


def resized(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """An image `(C, z, y, x)` at another size, interpolated linearly."""
    return F.interpolate(image[None], list(size), mode="trilinear")[0]


def mean_dice(logits: torch.Tensor, reference: np.ndarray, labels: LabelManager) -> float:
    """Mean of nnU-Net's Dice over classes or regions without those in neither map; NaN where that leaves none.

    Args:
        logits: `(num_segmentation_heads, z, y, x)`.
        reference: label map `(z, y, x)`.
        labels: of the data set.
    """
    prediction = labels.convert_logits_to_segmentation(logits).numpy()
    classes = labels.foreground_regions if labels.has_regions else labels.foreground_labels
    values = [dice(reference, prediction, label, labels.ignore_label) for label in classes]
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def validation_cases(predictor: nnUNetPredictor, model: Path, fold: int) -> nnUNetBaseDataset:
    """nnU-Net's preprocessed validation cases of a fold of a model folder.

    Raises:
        FileNotFoundError: no splits or no preprocessed data.
        ValueError: a configuration that needs another's predictions, a fold that the splits do not have, or one that
            was validated on other cases than theirs.
    """
    plans, configuration = predictor.plans_manager, predictor.configuration_manager
    if configuration.previous_stage_name is not None:
        raise ValueError(
            f"this configuration continues from the predictions of {configuration.previous_stage_name}, which "
            "preprocessed data do not hold: inspect that one instead"
        )
    if not nnUNet_preprocessed.is_set():
        raise FileNotFoundError("nnUNet_preprocessed is not set: export nnUNet_preprocessed=/path/to/preprocessed")
    base = Path(os.fspath(nnUNet_preprocessed)) / plans.dataset_name
    validated = validated_cases(summary_file(model, fold), predictor.dataset_json["file_ending"])
    cases = split_cases(base / "splits_final.json", fold, validated)
    folder = base / configuration.data_identifier
    if absent := [case for case in cases if not (folder / f"{case}.pkl").is_file()]:
        raise FileNotFoundError(
            f"{len(absent)} of the {len(cases)} validation cases of fold {fold} are not in {folder}, for example "
            f"{absent[0]}: run nnUNetv2_preprocess -d {dataset_number(plans.dataset_name)} "
            f"-plans_name {plans.plans_name}"
        )
    try:
        dataset_class = infer_dataset_class(str(folder))
    except (AssertionError, RuntimeError) as error:
        raise FileNotFoundError(
            f"{folder} holds no preprocessed cases of one kind ({' '.join(str(error).split())[:LONGEST_REASON]}): run "
            f"nnUNetv2_preprocess -d {dataset_number(plans.dataset_name)} -plans_name {plans.plans_name}"
        ) from error
    return dataset_class(str(folder), cases)


def validated_cases(summary: Path, file_ending: str) -> list[str] | None:
    """The cases that nnU-Net validated a fold on; None where it has not."""
    if not summary.is_file():
        return None
    return sorted(read_summary(summary, file_ending, "validate the fold again with nnUNetv2_train ... --val"))


def split_cases(splits_file: Path, fold: int, validated: list[str] | None = None) -> list[str]:
    """The validation cases of a fold, as they were `validated` where it was; errors as of `validation_cases`."""
    cure = "copy the file that the training used"
    if not splits_file.is_file():
        if validated is not None:
            return validated
        raise FileNotFoundError(f"{splits_file} is missing: {cure}")
    splits = read_splits(splits_file)
    if fold >= len(splits):
        if validated is not None:
            return validated  # of a fold beyond the splits nnU-Net draws the cases at random
        raise ValueError(
            f"{splits_file} has {len(splits)} folds, so it does not tell what fold {fold} was validated on: {cure}, or "
            "name other folds with -f"
        )
    cases = splits[fold]["val"]
    if validated is not None and (different := sorted({*validated} ^ {*cases})):
        raise ValueError(
            f"fold {fold} was validated on other cases than {splits_file} has ({len(different)} differ, such as "
            f"{different[0]}), so it may have been trained on some of those: {cure}"
        )
    return cases
