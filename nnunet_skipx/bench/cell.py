"""One cell of a comparison: one trainer on one fold of one data set. The disk says how far it is."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from nnunet_skipx.nnunet.evaluated import summary_file
from nnunet_skipx.nnunet.folds import ALL, FINAL, Fold
from nnunet_skipx.nnunet.json_files import FROM_TRAINING, read_debug, read_mean_dice, read_plans
from nnunet_skipx.nnunet.planned import has_next_stage
from nnunet_skipx.results.training_log import read_training_log

WORK_FOLDER = "skipx_bench"  # in nnUNet_results: logs and locks, nothing that a result depends on
EMA_OLD, EMA_NEW = 0.9, 0.1  # nnU-Net's weights of the running mean of the pseudo Dice


@dataclass(frozen=True)
class Progress:
    """How far a training is: epochs finished of all (None before nnU-Net has said), and what remains.

    ema_dice: nnU-Net's exponential moving average of the pseudo Dice, None before the first epoch.
    seconds: of an epoch, median so far, None before the first. unit: what is counted, where it is no training.
    """

    epoch: int
    epochs: int | None
    ema_dice: float | None
    seconds: float | None
    unit: str = "epochs"

    @property
    def seconds_left(self) -> float | None:
        """Until the last epoch, validation not included."""
        if self.epochs is None or self.seconds is None:
            return None
        return (self.epochs - self.epoch) * self.seconds


@dataclass(frozen=True)
class Cell:
    """One training and its validation.

    Args:
        results: nnU-Net's folder of results.
        dataset: full name, Dataset004_Hippocampus.
        configuration, fold, trainer, plans: as nnUNetv2_train takes them.
        weights: file that the training starts from; empty where the trainer starts from scratch.
    """

    results: Path
    dataset: str
    configuration: str
    fold: Fold
    trainer: str
    plans: str
    weights: str = ""
    PROGRAM: ClassVar[str] = "nnunet_skipx.bench.train_cell"  # what does it, as a module

    @property
    def model(self) -> str:
        """nnU-Net's name of the model folder."""
        return f"{self.trainer}__{self.plans}__{self.configuration}"

    @property
    def model_folder(self) -> Path:
        """Where nnU-Net writes all folds."""
        return self.results / self.dataset / self.model

    @property
    def part(self) -> str:
        """The fold as names of folders have it."""
        return f"fold_{self.fold}"

    @property
    def shown(self) -> str:
        """The fold in tables."""
        return str(self.fold)

    @property
    def folder(self) -> Path:
        """Where nnU-Net writes this fold."""
        return self.model_folder / self.part

    @property
    def lacks(self) -> str:
        """What stands in place of progress before anything is done."""
        return "missing"

    @property
    def remark(self) -> str:
        """What a user should know of the cell when it is done."""
        return ""

    @property
    def summary(self) -> Path:
        """What is written last."""
        return summary_file(self.model_folder, self.fold)

    @property
    def log(self) -> Path:
        """What the training printed."""
        return self.results / WORK_FOLDER / self.dataset / self.model / f"{self.part}.log"

    @property
    def lock(self) -> Path:
        """Held by the process that trains this cell."""
        return self.log.with_suffix(".lock")

    def __str__(self) -> str:
        return f"{self.dataset} {self.configuration} fold {self.fold} {self.trainer} {self.plans}"

    def ends_with_prediction(self) -> bool:
        """Whether its cases are predicted once it is trained.

        Those of fold all are those that it was trained on: only a cascade's next stage needs them predicted.
        """
        if self.fold != ALL:
            return True
        try:
            return has_next_stage(read_plans(self.folder.parent / "plans.json", FROM_TRAINING), self.configuration)
        except (FileNotFoundError, ValueError):
            return False

    def is_done(self) -> bool:
        """Whether nnU-Net has written what it writes last: the validation's whole summary, or the final checkpoint."""
        if not self.ends_with_prediction():
            return (self.folder / FINAL).is_file()
        try:
            read_mean_dice(self.summary)
        except (FileNotFoundError, ValueError):
            return False  # not there yet, or cut off by a kill: the cell runs again
        return True

    def progress(self) -> Progress:
        """How far the training is, from nnU-Net's own files."""
        try:
            epochs = read_training_log(self.folder).epochs
        except FileNotFoundError:
            return Progress(0, self._epochs(), None, None)
        if epochs.empty:
            return Progress(0, self._epochs(), None, None)
        ema = None
        for dice in epochs["pseudo_dice"].dropna():
            ema = dice if ema is None else EMA_OLD * ema + EMA_NEW * dice
        return Progress(int(epochs.index[-1]) + 1, self._epochs(), ema, float(epochs["seconds"].median()))

    def _epochs(self) -> int | None:
        """Epochs that the trainer will run, as nnU-Net noted them at its start."""
        try:
            return int(read_debug(self.folder / "debug.json")["num_epochs"])
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def to_json(self) -> str:
        """For another process."""
        return json.dumps({**asdict(self), "results": str(self.results)})

    @classmethod
    def from_json(cls, text: str) -> "Cell":
        """What `to_json` wrote."""
        read: dict[str, Any] = json.loads(text)
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in read.items()
        }
        return cls(**{**fields, "results": Path(read["results"])})
