"""`skipx bench --margin`: a margin of non-inferiority, written down before training."""

from collections.abc import Sequence
from datetime import datetime

from nnunet_skipx.bench.matrix import Matrix, cells
from nnunet_skipx.bench.planned_study import PlannedStudy, planned_studies
from nnunet_skipx.nnunet.folders import results_folder
from nnunet_skipx.results.preregistration import (
    FILE,
    Promise,
    first_training,
    read_promises,
    whole_name,
    write_promise,
)
from nnunet_skipx.statistics.metric import DICE, quantity, require_margin


def preregister(matrix: Matrix, margin: float, metric: str = DICE) -> str:
    """Write the margin, with metric, date, matrix and planned comparisons, into nnUNet_results; says what was written.

    The same command again changes nothing. Raises ValueError for a margin that is none, for a metric without its
    setting, and as `cells`.
    """
    require_margin(margin, whole_name(metric))
    results, planned = results_folder(), planned_studies(matrix)
    comparisons = {study.dataset: _pairs(study) for study in planned}
    begun = [cell.folder for cell in cells(matrix, results) if first_training([cell.folder]) is not None]
    known = _known([p for p in read_promises(results) if p.metric == metric], comparisons, margin)
    named = f"margin of {quantity(margin, metric)}"
    if known is not None:
        return f"M{named[1:]}: fixed on {known.at:%Y-%m-%d} in {results / FILE}."
    entry = {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "margin": margin,
        "metric": metric,
        "comparisons": {dataset: [list(pair) for pair in pairs] for dataset, pairs in comparisons.items()},
        "matrix": _as_letters(matrix),
    }
    write_promise(results, entry)
    told = f"Wrote the {named} into {results / FILE}: skipx report says that it was fixed before."
    if begun:
        told = (
            f"Wrote the {named} into {results / FILE}, but {len(begun)} of its trainings began "
            f"before, such as {begun[0]}: skipx report will not call it preregistered."
        )
    return told


def _pairs(study: PlannedStudy) -> Sequence[tuple[str, str]]:
    return [(study.rows[row], study.rows[other]) for row, other in study.with_baseline]


def _known(
    promises: Sequence[Promise], comparisons: dict[str, Sequence[tuple[str, str]]], margin: float
) -> Promise | None:
    """The last promise for all of these data sets, if it has the margin and the comparisons."""
    last = [promise for promise in promises if promise.comparisons.keys() & comparisons.keys()][-1:]
    for promise in last:
        covered = all(set(pairs) <= set(promise.comparisons.get(name, ())) for name, pairs in comparisons.items())
        if promise.margin == margin and covered:
            return promise
    return None


def _as_letters(matrix: Matrix) -> dict[str, object]:
    """The matrix as a file of `--matrix` has it."""
    return {
        "d": list(matrix.datasets),
        "c": list(matrix.configurations),
        "tr": list(matrix.rows),
        "p": list(matrix.plans),
        "f": list(matrix.folds),
        "replicates": matrix.replicates,
    }
