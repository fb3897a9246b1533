"""What the demo can be asked for; nothing heavy is imported to say so."""

from collections.abc import Sequence
from pathlib import Path

from nnunet_skipx.datasets.recipe import FOLDS
from nnunet_skipx.nnunet.folds import Fold, numbered
from nnunet_skipx.nnunet.trainer_name import BASELINE, TrainerName
from nnunet_skipx.system.names import did_you_mean
from nnunet_skipx.training.grammar import trainer_names
from nnunet_skipx.training.spelling import require_trainers


def require_arguments(trainers: Sequence[str], folds: Sequence[Fold], data: Path | None) -> None:
    """Refuse trainers that are none of ours, folds that do not exist, and data that are not there.

    Raises:
        ValueError: a trainer or a fold, with those that there are.
        FileNotFoundError: the folder of the data.
    """
    known = [BASELINE, *trainer_names()]
    for trainer in trainers:
        if (base := TrainerName.of(trainer).base) not in known:
            raise ValueError(
                f"the demo knows no trainer {trainer!r}{did_you_mean(base, known)}; it knows {', '.join(known)} and "
                "their variants"
            )
    require_trainers(f"{trainer}_demo" for trainer in trainers)
    if wrong := [fold for fold in numbered(folds) if fold not in range(FOLDS)]:
        raise ValueError(f"there is no fold {wrong[0]}; the demo has the folds 0 to {FOLDS - 1}")
    if len(set(trainers)) < len(trainers) or len(set(folds)) < len(folds):
        raise ValueError("a trainer or a fold is named twice; name each once")
    if data is not None and not data.is_dir():
        raise FileNotFoundError(f"{data} does not exist: give a folder TaskNN_Name, for example Task04_Hippocampus")
