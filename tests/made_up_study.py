"""A results folder in nnU-Net's own layout, with summaries written by nnU-Net's own code, for a made-up data set."""

import shutil
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK
from batchgenerators.utilities.file_and_folder_operations import save_json
from nnunetv2.evaluation import evaluate_predictions
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.utilities.crossval_split import generate_crossval_split

from nnunet_skipx.nnunet.evaluated import ensemble
from nnunet_skipx.nnunet.names import ModelName

DATASET = "Dataset004_Hippocampus"
TRAINERS = ("nnUNetTrainer", "nnUNetTrainerUTANet")
FOLDS = (0, 1, 2)
CASES = [f"case_{number:02d}" for number in range(12)]
DATASET_JSON = {
    "channel_names": {"0": "MRI"},
    "labels": {"background": 0, "Anterior": 1, "Posterior": 2},
    "numTraining": len(CASES),
    "file_ending": ".nii.gz",
}
SHAPE = (8, 20, 16)


@dataclass(frozen=True)
class Study:
    """Folders of the made-up study."""

    results: Path
    images: Path
    labels: Path
    splits: list[dict]

    def model_folder(self, trainer: str) -> Path:
        return self.results / DATASET / f"{trainer}__nnUNetPlans__3d_fullres"

    @property
    def model_folders(self) -> dict[str, Path]:
        return {trainer: self.model_folder(trainer) for trainer in TRAINERS}


def write_volume(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path))


def write_summary(label_folder: Path, validation: Path, labels: list, ignore_label: int | None = None) -> None:
    """nnU-Net's own evaluation, in threads: its spawned processes would take seconds to start."""
    with pytest.MonkeyPatch.context() as patch:
        threads = SimpleNamespace(Pool=ThreadPool)
        patch.setattr(evaluate_predictions.multiprocessing, "get_context", lambda kind: threads)
        evaluate_predictions.compute_metrics_on_folder(
            str(label_folder),
            str(validation),
            str(validation / "summary.json"),
            SimpleITKIO(),
            ".nii.gz",
            labels,
            ignore_label,
            num_processes=1,
        )


def label_map(number: int, shift: int) -> np.ndarray:
    """Two touching blocks; case 3 has no second class, so that its Dice is NaN."""
    array = np.zeros(SHAPE, np.uint8)
    array[2:6, 4 + shift : 10 + shift, 4:12] = 1
    array[2:6, 10 + shift : 14 + shift, 4:12] = 0 if number == 3 else 2
    return array


EXPERT_LINES = (
    "Balance loss: 0.125",
    "Expert usage gate 1: [0.25 0.25 0.4 0.1]",
    "Expert usage gate 2: [0.1, 0.2, 0.3, 0.4]",
)


def log_text(
    epoch: int, loss: float = 0.5, dice: float = 0.5, seconds: float = 1.0, extra: tuple[str, ...] = ()
) -> str:
    """What nnU-Net logs in one epoch, with `extra` lines before the time, as our trainer writes them."""
    lines = (
        "",
        f"Epoch {epoch}",
        "Current learning rate: 0.01",
        f"train_loss {loss}",
        f"val_loss {loss}",
        f"Pseudo dice [np.float32({dice}), np.float32({dice})]",
        *extra,
        f"Epoch time: {seconds} s",
        "Yayy! New best EMA pseudo Dice: 0.5",
    )
    return "".join(f"2025-11-21 02:19:00.000001: {line} \n" for line in lines)


def write_log(fold_folder: Path, epochs: int, extra: tuple[str, ...]) -> None:
    text = [log_text(epoch, 1 / (epoch + 1), 1 - 1 / (epoch + 1), 2.5, extra) for epoch in range(epochs)]
    (fold_folder / "training_log_2025_11_21_02_19_00.txt").write_text("".join(text))


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Trainer 0 predicts one voxel off in every case, trainer 1 two voxels off in every second case."""
    root = tmp_path_factory.mktemp("study")
    splits = generate_crossval_split(CASES, n_splits=len(FOLDS))
    made = Study(root / "results", root / "imagesTr", root / "labelsTr", splits)
    noise = np.random.default_rng(0)
    for number, case in enumerate(CASES):
        write_volume(made.labels / f"{case}.nii.gz", label_map(number, 0))
        write_volume(made.images / f"{case}_0000.nii.gz", noise.normal(label_map(number, 0), 0.3).astype(np.float32))
    for trainer, folder in made.model_folders.items():
        for fold in FOLDS:
            _write_fold(made, folder, fold, trainer)
        save_json(DATASET_JSON, str(folder / "dataset.json"))
    return made


def _write_fold(study: Study, model_folder: Path, fold: int, trainer: str) -> None:
    validation = model_folder / f"fold_{fold}" / "validation"
    for case in study.splits[fold]["val"]:
        number = CASES.index(case)
        shift = 1 if trainer == TRAINERS[0] else 2 * (number % 2)
        write_volume(validation / f"{case}.nii.gz", label_map(number, shift))
    write_summary(study.labels, validation, [1, 2])
    write_log(validation.parent, epochs=3, extra=EXPERT_LINES if trainer == TRAINERS[1] else ())


def write_test_set(study: Study, model_folder: Path, folds: tuple[int, ...] = FOLDS) -> Path:
    """What these folds' ensemble predicted, and nnU-Net's summary of it: here the maps of all validations."""
    folder = model_folder / ensemble(folds)
    folder.mkdir(parents=True)
    for path in study.model_folder(ModelName.of(model_folder).trainer).glob("fold_*/validation/*.nii.gz"):
        shutil.copy(path, folder)
    write_summary(study.labels, folder, [1, 2])
    return folder
