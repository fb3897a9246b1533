"""What a matrix will compare: rows, comparisons and cases, as the report will name and count them."""

from dataclasses import dataclass

from nnunet_skipx.bench.matrix import Matrix
from nnunet_skipx.nnunet.folds import numbered
from nnunet_skipx.nnunet.json_files import read_splits
from nnunet_skipx.nnunet.planned import full_name, plans_file
from nnunet_skipx.report.twins import trainer_in, twins_among

STOCK_FOLDS = 5  # nnU-Net's, where there is no splits_final.json


@dataclass(frozen=True)
class PlannedStudy:
    """One data set. rows: report's name -> model folder's name. sizes: validation cases of each fold."""

    dataset: str
    rows: dict[str, str]
    baseline: str
    sizes: tuple[int, ...]

    @property
    def with_baseline(self) -> list[tuple[str, str]]:
        """Each row and the baseline."""
        return [(row, self.baseline) for row in self.rows if row != self.baseline]

    @property
    def comparisons(self) -> int:
        """How many pairs the report will compare, and adjust for: with the baseline and with twins."""
        return len({frozenset(pair) for pair in (*self.with_baseline, *twins_among(list(self.rows)))})


def planned_studies(matrix: Matrix) -> list[PlannedStudy]:
    """One for every data set of the matrix; ValueError for a single row or fold all, or as `plans_file`."""
    several = len(matrix.plans) * len(matrix.configurations) > 1
    rows = {
        f"{trainer} ({plans}, {configuration})" if several else trainer: f"{trainer}__{plans}__{configuration}"
        for trainer in matrix.rows
        for plans in matrix.plans
        for configuration in matrix.configurations
    }
    if len(rows) < 2:
        raise ValueError(f"{next(iter(rows))} is the only row, which is compared with nothing: name a second trainer")
    baseline = next((row for row in rows if trainer_in(row).is_stock), next(iter(rows)))
    return [PlannedStudy(full_name(d), rows, baseline, _sizes(d, matrix)) for d in matrix.datasets]


def _sizes(dataset: str, matrix: Matrix) -> tuple[int, ...]:
    """Validation cases of the matrix's folds; where nnU-Net has not dealt them yet, it will deal them evenly."""
    folder = plans_file(dataset, matrix.plans[0]).parent
    splits = folder / "splits_final.json"
    if splits.is_file():
        sizes = [len(fold["val"]) for fold in read_splits(splits)]
    else:
        cases = len({path.name.split(".")[0] for path in (folder / "gt_segmentations").glob("*")})
        sizes = [cases // STOCK_FOLDS + (fold < cases % STOCK_FOLDS) for fold in range(STOCK_FOLDS)]
    folds = numbered(matrix.folds) or range(len(sizes))
    if wrong := [fold for fold in folds if fold not in range(len(sizes))]:
        raise ValueError(f"{folder.name} has no fold {wrong[0]}: it has the folds 0 to {len(sizes) - 1}")
    return tuple(sizes[fold] for fold in folds)
