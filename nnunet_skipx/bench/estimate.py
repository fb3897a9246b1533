"""How long the cells that are not done will take, before any of them is started."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.nnunet.folds import folds_in
from nnunet_skipx.nnunet.planned import domains_in, plans_file, read_planned
from nnunet_skipx.nnunet.replicates import with_replicates
from nnunet_skipx.nnunet.search import find_trainer
from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.nnunet.trainer_name import TrainerName
from nnunet_skipx.profiling.measure import paired_seconds
from nnunet_skipx.profiling.steps import schedule, training_step

VALIDATION_SHARE = 1 / 3  # of a training step's time: the forward pass without the backward


def hours_left(cells: Sequence[Cell], device: str) -> dict[Cell, float]:
    """Hours that each cell still needs on a device (cpu or cuda) of this machine, its final validation not included.

    The epochs left times the seconds of one: those of epochs trained before, of any fold and replicate, or, where there
    are none, those of a training step that is timed on random data.
    """
    models: dict[Cell, tuple[int, float]] = {}
    hours = {}
    for cell in cells:
        model = replace(cell, fold=0, results=with_replicates(cell.model_folder)[0].parents[1])
        if model not in models:
            models[model] = _epochs_and_seconds(cell, device)
        epochs, seconds = models[model]
        hours[cell] = (epochs - cell.progress().epoch) * seconds / 3600
    return hours


def _epochs_and_seconds(cell: Cell, device: str) -> tuple[int, float]:
    """How many epochs the trainer runs, and the seconds of one; of a universal run those of its domains together."""
    if domains := domains_in(plans_file(cell.dataset, cell.plans).parent):
        base = getattr(find_trainer(cell.trainer), "domain_trainer", None) or cell.trainer
        trainer_name = TrainerName(base, TrainerName.of(cell.trainer).options).text
        parts = [_epochs_and_seconds(replace(cell, dataset=d, trainer=trainer_name), device) for d in domains]
        return parts[0][0], sum(seconds for _, seconds in parts)
    plans, dataset_json = read_planned(cell.dataset, cell.plans)
    setting = Setting(plans, cell.configuration, dataset_json, device)
    trainer = find_trainer(cell.trainer)
    planned = schedule(trainer, setting)
    if trained := [seconds for each in _trained_before(cell) if (seconds := each.progress().seconds) is not None]:
        return planned.epochs, mean(trained)
    (step,) = paired_seconds({"step": training_step(trainer, setting)}, runs=1, warmup=1)["step"]
    return planned.epochs, step * (planned.iterations + VALIDATION_SHARE * planned.validation_iterations)


def _trained_before(cell: Cell) -> list[Cell]:
    """The folds of the same model and of its replicates that have been begun."""
    models = with_replicates(cell.model_folder)
    return [
        replace(cell, fold=fold, results=model.parents[1])
        for model in models
        for fold in folds_in(list(model.glob("fold_*")))
    ]
