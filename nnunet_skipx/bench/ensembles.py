"""`skipx bench --test`: the test sets of a matrix, each predicted by the ensemble of a model's folds."""

from pathlib import Path

from nnunetv2.paths import nnUNet_preprocessed

from nnunet_skipx.bench.ensemble_cell import EnsembleCell
from nnunet_skipx.bench.matrix import Matrix, twice
from nnunet_skipx.nnunet.folders import preprocessed_data
from nnunet_skipx.nnunet.folds import Fold, numbered
from nnunet_skipx.nnunet.json_files import FROM_TRAINING, read_plans, read_splits
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.planned import domains_in
from nnunet_skipx.nnunet.replicates import replicate_results
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.results.find_models import results_of
from nnunet_skipx.results.protocols import folds_of


def ensemble_cells(matrix: Matrix, results: Path) -> list[EnsembleCell]:
    """A cell for each model of the matrix and each of its replicates; models need not be trained yet.

    Raises:
        FileNotFoundError: a data set or a model without results, or no test images.
        ValueError: a trainer that does not exist, a universal run, or test images that do not fit.
    """
    for trainer in matrix.rows:
        find_trainer(trainer)
    names = [results_of(dataset, results).name for dataset in matrix.datasets]
    twice(names)
    cells = [
        _cell(folder, dataset, configuration, trainer, plans, matrix.folds)
        for folder in (replicate_results(results, number) for number in range(1, matrix.replicates + 1))
        for dataset in names
        for plans in matrix.plans
        for configuration in matrix.configurations
        for trainer in matrix.rows
    ]
    for cell in cells:
        cell.images()
    return cells


def trained_ensembles(matrix: Matrix, results: Path) -> list[EnsembleCell]:
    """The same, ready to predict.

    Raises FileNotFoundError also where a fold is not trained to its end, or a cascade's first stage has not predicted.
    """
    cells = ensemble_cells(matrix, results)
    missing = [f"  {cell.model_folder} fold {' '.join(map(str, cell.untrained))}" for cell in cells if cell.untrained]
    if missing:
        raise FileNotFoundError(
            "these folds are not trained to their end; train them by the same command without --test, or name the "
            "folds of the ensembles with -f:\n" + "\n".join(missing)
        )
    for cell in cells:
        plans = read_plans(cell.model_folder / "plans.json", FROM_TRAINING)
        before = plans["configurations"].get(cell.configuration, {}).get("previous_stage")
        if before and not cell.goes_on_from(before):
            raise FileNotFoundError(
                f"{cell} continues from the predictions of {before}, which are not there: give the same command with "
                f"-c {before} first"
            )
    return cells


def _cell(
    results: Path, dataset: str, configuration: str, trainer: str, plans: str, asked: tuple[Fold, ...]
) -> EnsembleCell:
    folder = results / dataset / f"{trainer}__{plans}__{configuration}"
    if not (folder / "dataset.json").is_file():
        there = ", ".join(sorted(path.name for path in folder.parent.glob("*__*__*"))) or "none"
        raise FileNotFoundError(
            f"{folder} is no trained model (there are: {there}): train it by the same command without --test"
        )
    if domains := domains_in(folder):
        number, ids = dataset_number(dataset), " ".join(str(dataset_number(name)) for name in domains)
        raise ValueError(
            f"{dataset} is a universal run, whose test images are its domains': skipx universal extract -d {number}, "
            f"then test those, -d {ids}, with the trainers nnUNetTrainerU2Net..._from{number}"
        )
    first, *others = sorted(numbered(asked) or _folds(folder))
    return EnsembleCell(results, dataset, configuration, first, trainer, plans, others=tuple(others))


def _folds(model_folder: Path) -> tuple[int, ...]:
    """All that the data set has: of its splits, else of its protocol, else nnU-Net's five."""
    if nnUNet_preprocessed.is_set():
        splits = preprocessed_data() / model_folder.parent.name / "splits_final.json"
        if splits.is_file():
            return tuple(range(len(read_splits(splits))))
    return folds_of([model_folder])
