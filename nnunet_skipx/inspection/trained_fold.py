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
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from torch._dynamo import OptimizedModule
from torch.nn import functional as F

from nnunet_skipx.nnunet.checkpoints import read_checkpoint
from nnunet_skipx.nnunet.json_files import FROM_TRAINING, read_plans, read_splits
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.network_classes import require_known_networks
from nnunet_skipx.results.atlas import dice
from nnunet_skipx.results.summary import read_summary


@dataclass(frozen=True)
class TrainedFold:
    """A trained network in nnU-Net's predictor, and the preprocessed cases that its fold is validated on."""

    predictor: nnUNetPredictor
    dataset: nnUNetBaseDataset

    @classmethod
    def load(cls, folder: Path, fold: int, device: str, checkpoint: str) -> "TrainedFold":
        """From a model folder and nnUNet_preprocessed, with errors as of `validation_cases`."""
        read_checkpoint(folder / f"fold_{fold}" / checkpoint)  # nnU-Net's predictor would run what is in it
        require_known_networks(read_plans(folder / "plans.json", FROM_TRAINING))
        predictor = nnUNetPredictor(use_mirroring=False, device=torch.device(device), allow_tqdm=False)
        torch.backends.cudnn.benchmark = False  # the predictor turns it on; what it picks differs from call to call
        predictor.initialize_from_trained_model_folder(str(folder), (fold,), checkpoint)
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
        stored, reference, _, _ = self.dataset.load_case(case)
        image = torch.from_numpy(np.array(stored[:]))
        if donor is not None:
            other = torch.from_numpy(np.array(self.dataset.load_case(donor)[0][:]))
            image = torch.cat([image, resized(other, image.shape[1:])])
        logits = self.predictor.predict_sliding_window_return_logits(image)
        return mean_dice(logits.cpu(), np.array(reference[:])[0], self.predictor.label_manager)


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
    summary = model / f"fold_{fold}" / "validation" / "summary.json"
    validated = validated_cases(summary, predictor.dataset_json["file_ending"])
    cases = split_cases(base / "splits_final.json", fold, validated)
    folder = base / configuration.data_identifier
    if absent := [case for case in cases if not (folder / f"{case}.pkl").is_file()]:
        raise FileNotFoundError(
            f"{len(absent)} of the {len(cases)} validation cases of fold {fold} are not in {folder}, for example "
            f"{absent[0]}: run nnUNetv2_preprocess -d {dataset_number(plans.dataset_name)} "
            f"-plans_name {plans.plans_name}"
        )
    return infer_dataset_class(str(folder))(str(folder), cases)


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
