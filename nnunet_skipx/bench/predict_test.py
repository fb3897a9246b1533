"""One test set in a process of its own: what nnUNetv2_predict and nnUNetv2_evaluate_folder do, of the same parts.

`python -m nnunet_skipx.bench.predict_test ORDER`, ORDER being that of an `EnsembleCell`. As in `train_cell`, no more
cores are taken than are given, and what a kill has left is gone on with: cases whose predictions are whole stay.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from nnunetv2.configuration import default_num_processes
from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from nnunet_skipx.bench.ensemble_cell import PREDICTED, EnsembleCell
from nnunet_skipx.bench.images_ts import ImagesTs
from nnunet_skipx.bench.state import note
from nnunet_skipx.bench.train_cell import TrainingOrder, alone, be_a_child
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.nnunet.continued import is_whole
from nnunet_skipx.nnunet.folds import FINAL
from nnunet_skipx.nnunet.weights import load_networks
from nnunet_skipx.system.files import write_json
from nnunet_skipx.system.processes import end_without

MOST_PROCESSES = 3  # as nnUNetv2_predict
ASIDE = "not_of_the_test_set"  # predictions of images that are gone, or have no label


def predict_test(order: TrainingOrder) -> int:
    """Predict and evaluate unless that is done; returns the exit status."""
    return alone(order, _predict)


def _predict(order: TrainingOrder) -> None:
    torch.set_num_threads(order.threads)
    append_to_environment()
    cell = order.cell
    assert isinstance(cell, EnsembleCell)
    images = cell.images()
    predictor = nnUNetPredictor(device=torch.device(order.device), allow_tqdm=False)
    load_networks(predictor, cell.model_folder, cell.folds, FINAL)
    cell.folder.mkdir(parents=True, exist_ok=True)
    cell.summary.unlink(missing_ok=True)  # of other networks, cases or labels: nobody may take it for that of these
    missing = _missing(cell, images, predictor, order.npz)
    note(cell, cases_left=len(missing))
    print(f"{len(images.cases) - len(missing)} of {len(images.cases)} cases are predicted already")
    if missing:
        predictor.predict_from_files(
            [list(map(str, images.cases[case])) for case in missing],
            [str(cell.folder / case) for case in missing],
            save_probabilities=order.npz,
            num_processes_preprocessing=min(MOST_PROCESSES, default_num_processes),
            num_processes_segmentation_export=min(MOST_PROCESSES, default_num_processes),
            folder_with_segs_from_prev_stage=_previous_stage(cell, predictor),
        )
    write_json(cell.folder / PREDICTED, sorted(images.cases))
    if images.labels is not None:
        _evaluate(cell, images, images.labels, predictor)


def _missing(cell: EnsembleCell, images: ImagesTs, predictor: nnUNetPredictor, npz: bool) -> list[str]:
    """The cases without a whole prediction by these networks; npz: probabilities are wanted, too."""
    reader = _reader(predictor)
    endings = [cell.ending(), *([".npz", ".pkl"] if npz else [])]
    return [
        case
        for case in images.cases
        if not all(cell.is_newer(cell.folder / f"{case}{ending}") for ending in endings)
        or not is_whole(cell.folder / f"{case}{cell.ending()}", reader)
    ]


def _previous_stage(cell: EnsembleCell, predictor: nnUNetPredictor) -> str | None:
    """Where a cascade's first stage has predicted the same images."""
    stage = predictor.configuration_manager.previous_stage_name
    return str(cell.stage(stage).folder) if stage else None


def _evaluate(cell: EnsembleCell, images: ImagesTs, labels: Path, predictor: nnUNetPredictor) -> None:
    """Write nnU-Net's summary, of the test set's cases and no others."""
    for path in sorted(cell.folder.glob(f"*{cell.ending()}")):
        if path.name.removesuffix(cell.ending()) not in images.cases:
            (cell.folder / ASIDE).mkdir(exist_ok=True)
            path.replace(cell.folder / ASIDE / path.name)
            print(f"moved {path.name} into {cell.folder / ASIDE}: it has no image or no label any more")
    manager = predictor.label_manager
    compute_metrics_on_folder(
        str(labels),
        str(cell.folder),
        str(cell.summary),
        _reader(predictor),
        cell.ending(),
        manager.foreground_regions if manager.has_regions else manager.foreground_labels,
        manager.ignore_label,
        num_processes=default_num_processes,
    )


def _reader(predictor: nnUNetPredictor) -> Any:
    return predictor.plans_manager.image_reader_writer_class()


if __name__ == "__mp_main__":  # in a worker that was spawned
    end_without(os.getppid())
if __name__ == "__main__":
    be_a_child()
    sys.exit(predict_test(TrainingOrder.from_json(sys.argv[1], EnsembleCell)))
