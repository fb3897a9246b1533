"""What a model was evaluated on, its folds' validations or a test set that they predict together, and where it lies."""

from collections.abc import Iterable
from pathlib import Path

from nnunet_skipx.nnunet.names import is_number

Evaluated = int | str  # a fold, or `ensemble(folds)` in its place where a test set was predicted
ENSEMBLE = "test_folds"  # nnU-Net's commands look for fold_*
SUMMARY = Path("summary.json")


def ensemble(folds: Iterable[int]) -> str:
    """What stands in place of a fold where its networks predict together; also the name of its folder in a model's.

    >>> ensemble([1, 0])
    'test_folds_0_1'
    """
    return "_".join([ENSEMBLE, *map(str, sorted(folds))])


def is_ensemble(fold: Evaluated) -> bool:
    """Whether several networks predict together, in place of a fold's own.

    >>> is_ensemble("test_folds_0_1"), is_ensemble(3), is_ensemble("all")
    (True, False, False)
    """
    return isinstance(fold, str) and fold.startswith(ENSEMBLE)


def members(fold: Evaluated) -> tuple[int, ...]:
    """The folds whose networks predicted.

    >>> members("test_folds_0_1"), members(3)
    ((0, 1), (3,))
    """
    return tuple(map(int, fold.removeprefix(f"{ENSEMBLE}_").split("_"))) if isinstance(fold, str) else (fold,)


def ensembles_in(model_folder: Path) -> list[str]:
    """Those that have a summary of a test set, sorted."""
    names = [path.parent.name for path in model_folder.glob(f"{ENSEMBLE}_*/{SUMMARY}")]
    return sorted(name for name in names if all(map(is_number, name.removeprefix(f"{ENSEMBLE}_").split("_"))))


def predictions(model_folder: Path, fold: Evaluated) -> Path:
    """The folder with what was predicted, and with its summary.

    >>> predictions(Path("M"), 3).as_posix(), predictions(Path("M"), "test_folds_0_1").as_posix()
    ('M/fold_3/validation', 'M/test_folds_0_1')
    """
    return model_folder / str(fold) if is_ensemble(fold) else model_folder / f"fold_{fold}" / "validation"


def summary_file(model_folder: Path, fold: Evaluated) -> Path:
    """nnU-Net's summary."""
    return predictions(model_folder, fold) / SUMMARY


def again(fold: Evaluated) -> str:
    """What to do where a summary or a prediction is at fault."""
    if isinstance(fold, str):
        return "predict the test set again: remove the file, then skipx bench --test"
    return "validate this fold again with --val"


def told(fold: Evaluated) -> str:
    """Where a case is, in words.

    >>> told(3), told("test_folds_0_1")
    ('fold 3', 'the test set')
    """
    return "the test set" if isinstance(fold, str) else f"fold {fold}"


def ensemble_told(folds: Iterable[int]) -> str:
    """The networks that predicted together.

    >>> ensemble_told(range(5)), ensemble_told([0, 1, 3]), ensemble_told([2])
    ('ensemble of folds 0-4', 'ensemble of folds 0, 1, 3', 'network of fold 2')
    """
    numbers = sorted(folds)
    if len(numbers) == 1:
        return f"network of fold {numbers[0]}"
    in_a_row = len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1))
    return f"ensemble of folds {f'{numbers[0]}-{numbers[-1]}' if in_a_row else ', '.join(map(str, numbers))}"
