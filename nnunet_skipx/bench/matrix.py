"""The matrix of a comparison, in nnU-Net's own letters, and the cells that it spans."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.nnunet.folds import ALL, Fold
from nnunet_skipx.nnunet.json_files import read_plans, read_splits
from nnunet_skipx.nnunet.planned import full_name, planned_skips, plans_file, preprocessed_folder
from nnunet_skipx.nnunet.replicates import replicate_results
from nnunet_skipx.nnunet.trainer_name import WARM, TrainerName
from nnunet_skipx.training.rows import require_fitting_masks

MOST_REPLICATES = 100


@dataclass(frozen=True)
class Matrix:
    """What is compared: every data set (id or name) with every plan, configuration, trainer and fold.

    folds: none for every one that each data set has; `all` trains on every case.
    npz: keep the validation's probabilities. replicates: how often every cell is trained.
    weights: a checkpoint; every trainer is trained from it, too.
    """

    datasets: tuple[str, ...]
    configurations: tuple[str, ...]
    trainers: tuple[str, ...]
    plans: tuple[str, ...] = ("nnUNetPlans",)
    folds: tuple[Fold, ...] = ()
    npz: bool = False
    replicates: int = 1
    weights: str = ""

    def __post_init__(self) -> None:
        for name in ("datasets", "configurations", "trainers", "plans", "folds"):
            values = getattr(self, name)
            if not values and name != "folds":
                raise ValueError(f"the matrix has no {name}: name at least one")
            if twice := [value for value, count in Counter(values).items() if count > 1]:
                raise ValueError(f"{twice[0]!r} stands twice among the {name}; name each once")
        if not 1 <= self.replicates <= MOST_REPLICATES:
            raise ValueError(f"replicates = {self.replicates} is no number of trainings: give 1 to {MOST_REPLICATES}")

    @property
    def rows(self) -> tuple[str, ...]:
        """The trainers of the cells: with weights each that starts from scratch has a warm one beside it.

        Raises:
            FileNotFoundError: the file of weights is not there.
            ValueError: a trainer wants weights, and there are none.
        """
        names = [TrainerName.of(trainer) for trainer in self.trainers]
        if not self.weights:
            if started := [name.text for name in names if name.is_started]:
                raise ValueError(f"{started[0]} starts from pretrained weights: add -pretrained_weights CHECKPOINT")
            return self.trainers
        if not Path(self.weights).is_file():
            raise FileNotFoundError(f"-pretrained_weights: there is no file {self.weights}")
        warm = [name if name.is_started else TrainerName(name.base, (*name.options, WARM)) for name in names]
        pairs = zip(self.trainers, (name.text for name in warm), strict=True)
        return tuple(dict.fromkeys(row for pair in pairs for row in pair))


def cells(matrix: Matrix, results: Path) -> list[Cell]:
    """All cells in the order in which they run: fold by fold, so that an interrupted run has compared on what is done.

    The first replicate lies where nnU-Net's own commands look, in `results`, the others in `results/replicate_N`.

    Raises:
        FileNotFoundError: a data set that is not there, not planned, or not preprocessed.
        ValueError: a configuration, fold or trainer that does not exist.
    """
    from nnunet_skipx.nnunet.search import find_trainer  # torch, for which a wrong id does not wait

    planned = planned_folds(matrix)
    for trainer in matrix.rows:
        find_trainer(trainer)
    return [
        Cell(
            results=replicate_results(results, replicate),
            dataset=dataset,
            configuration=configuration,
            fold=fold,
            trainer=trainer,
            plans=plans,
            weights=str(Path(matrix.weights).resolve()) if TrainerName.of(trainer).is_started else "",
        )
        for replicate in range(1, matrix.replicates + 1)
        for fold in sorted({fold for *_, folds in planned for fold in folds}, key=order(matrix.folds))
        for dataset, plans, folds in planned
        if fold in folds
        for configuration in matrix.configurations
        for trainer in matrix.rows
    ]


def planned_folds(matrix: Matrix) -> list[tuple[str, str, tuple[Fold, ...]]]:
    """Data set, plans and folds of all that is to be trained, with errors as of `cells` but those for trainers."""
    twice(map(full_name, matrix.datasets))
    return [_planned(dataset, plans, matrix) for dataset in matrix.datasets for plans in matrix.plans]


def twice(names: Iterable[str]) -> None:
    """Raise ValueError where a data set is named twice, also once by its id and once by its name."""
    if found := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"the data set {found[0]} is named twice; name each once")


def order(folds: tuple[Fold, ...]) -> Callable[[Fold], int]:
    """Where a fold comes: as given, else by number."""
    return lambda fold: folds.index(fold) if folds else int(fold)


def _planned(dataset: str, plans: str, matrix: Matrix) -> tuple[str, str, tuple[Fold, ...]]:
    """The data set's full name, the plans, and its folds of the matrix, once nnU-Net could train on them."""
    path = plans_file(dataset, plans)
    name = path.parent.name
    masked = [row for row in matrix.rows if TrainerName.of(row).masks]
    for configuration in matrix.configurations:
        preprocessed_folder(dataset, plans, configuration)
        if masked:
            require_fitting_masks(masked, planned_skips(read_plans(path), configuration), f"{name} {configuration}")
    splits = path.with_name("splits_final.json")
    count = len(read_splits(splits)) if splits.is_file() else 5  # nnU-Net makes five where there are none
    if wrong := [fold for fold in matrix.folds if fold not in (*range(count), ALL)]:
        raise ValueError(f"{name} has no fold {wrong[0]}: it has the folds 0 to {count - 1}, and all")
    return name, plans, matrix.folds or tuple(range(count))
