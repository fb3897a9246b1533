"""How long and by what means the rows were trained: what differs, and what is no more than a test run."""

import re
from collections.abc import Mapping, Sequence

from nnunet_skipx.nnunet.replicates import replicate_number
from nnunet_skipx.results.provenance import provenance
from nnunet_skipx.results.study import Models, named

STOCK_EPOCHS, STOCK_ITERATIONS = 1000, 250
STEPS = "epochs x iterations"
# What is compared of `provenance`; plans and modes have remarks of their own.
COMPARED = (STEPS, "optimiser", "precision", "torch")
# Row -> (replicate, fold) -> what is known of that training, name -> value.
Trainings = Mapping[str, Mapping[tuple[int, int], Mapping[str, str]]]


def trainings_of(models: Models, folds: Sequence[int]) -> Trainings:
    """What nnU-Net noted of every training."""
    return {
        row: {
            (replicate_number(folder), fold): provenance(folder, [fold]) for folder in model_folders for fold in folds
        }
        for row, model_folders in models.items()
    }


def schedule_remarks(trainings: Trainings) -> tuple[str, ...]:
    """A sentence for each thing in which the trainings of the rows, their folds and replicates differ."""
    told = [difference(trainings, name) for name in COMPARED]
    counts = {row: len({replicate for replicate, _ in cells}) for row, cells in trainings.items()}
    if len(set(counts.values())) > 1:
        told.append(f"The rows differ in replicates: {_listed({row: str(count) for row, count in counts.items()})}.")
    return tuple(text for text in told if text)


def difference(trainings: Trainings, name: str) -> str:
    """'The rows differ in NAME: …', with folds and replicates that do; empty where all that is known is equal."""
    told, every = {}, set()
    for row, cells in trainings.items():
        values = {cell: found[name] for cell, found in cells.items() if name in found}
        if not values:
            continue
        every |= set(values.values())
        usual = max(values.values(), key=list(values.values()).count)
        others = [f"{named('', k).strip()} fold {fold}: {v}".strip() for (k, fold), v in values.items() if v != usual]
        told[row] = usual + (f" ({', '.join(others)})" if others else "")
    return f"The rows differ in {name}: {_listed(told)}." if len(every) > 1 else ""


def short_training_remark(trainings: Trainings) -> str:
    """That this is a test run, where one was trained for fewer steps than nnU-Net's own; else empty."""
    short = {
        row: ", ".join(dict.fromkeys(found))
        for row, cells in trainings.items()
        if (found := [facts[STEPS] for facts in cells.values() if STEPS in facts and _is_short(facts[STEPS])])
    }
    if not short:
        return ""
    stock = f"{STOCK_EPOCHS} x {STOCK_ITERATIONS}"
    return f"A test run, not a result: nnU-Net trains {stock} iterations, these rows fewer: {_listed(short)}."


def _is_short(steps: str) -> bool:
    found = re.fullmatch(r"(\d+) x (\d+)", steps)
    return found is not None and int(found[1]) * int(found[2]) < STOCK_EPOCHS * STOCK_ITERATIONS


def _listed(values: Mapping[str, str]) -> str:
    """Every value once, with the rows that have it.

    >>> _listed({"A": "5 x 40", "B": "9 x 40", "C": "5 x 40"})
    '5 x 40: A, C; 9 x 40: B'
    """
    rows: dict[str, list[str]] = {}
    for row, value in values.items():
        rows.setdefault(value, []).append(row)
    return "; ".join(f"{value}: {', '.join(names)}" for value, names in rows.items())
