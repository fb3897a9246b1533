"""The cell of a test set: the folds of one model predict it together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from nnunet_skipx.bench.cell import Cell, Progress
from nnunet_skipx.bench.images_ts import ImagesTs, read_images_ts
from nnunet_skipx.nnunet.evaluated import again, ensemble, ensemble_told, summary_file
from nnunet_skipx.nnunet.folds import FINAL, numbered
from nnunet_skipx.nnunet.json_files import FROM_TRAINING, read_dataset_json
from nnunet_skipx.results.summary import read_summary
from nnunet_skipx.system.json_files import list_of, read_json, text

PREDICTED = "predicted.json"  # the cases, once all are: what is written last where there are no labels


@dataclass(frozen=True)
class EnsembleCell(Cell):
    """One model's test set, as nnU-Net's ensemble of its folds predicts it, and the evaluation of that.

    others: the folds whose networks predict together with that of `fold`.
    """

    others: tuple[int, ...] = ()
    PROGRAM: ClassVar[str] = "nnunet_skipx.bench.predict_test"

    @property
    def folds(self) -> tuple[int, ...]:
        """All whose networks predict."""
        return (*numbered([self.fold]), *self.others)

    @property
    def part(self) -> str:
        """The folder's name, beside those of the folds."""
        return ensemble(self.folds)

    @property
    def shown(self) -> str:
        """The ensemble in tables."""
        return f"test ({' '.join(map(str, self.folds))})"

    @property
    def lacks(self) -> str:
        """What stands in place of progress before anything is done."""
        untrained = " ".join(map(str, self.untrained))
        return f"fold {untrained} not trained to the end" if untrained else "missing"

    @property
    def remark(self) -> str:
        """That there is nothing to evaluate with, or not for all."""
        images = self.images()
        if images.labels is None:
            return (
                f"{self.dataset} has no labelsTs in nnUNet_raw: its images are predicted, in {self.part} of each "
                "model's folder, but nothing can be evaluated."
            )
        if images.unlabelled:
            return f"{images.unlabelled} test images of {self.dataset} have no label, and are left out."
        return ""

    @property
    def summary(self) -> Path:
        """What is written last where there are labels."""
        return summary_file(self.model_folder, self.part)

    @property
    def checkpoints(self) -> list[Path]:
        """Of all networks."""
        return [self.model_folder / f"fold_{fold}" / FINAL for fold in self.folds]

    @property
    def untrained(self) -> list[int]:
        """Folds without a final checkpoint."""
        return [fold for fold, path in zip(self.folds, self.checkpoints, strict=True) if not path.is_file()]

    def __str__(self) -> str:
        what = f"test set by the {ensemble_told(self.folds)}"
        return f"{self.dataset} {self.configuration} {what} {self.trainer} {self.plans}"

    def stage(self, configuration: str) -> "EnsembleCell":
        """The same of another configuration, such as the first stage of a cascade."""
        return replace(self, configuration=configuration)

    def dataset_json(self) -> dict[str, Any]:
        """That which the networks were trained with; errors as `read_json` raises them."""
        return read_dataset_json(self.model_folder / "dataset.json", FROM_TRAINING)

    def images(self) -> ImagesTs:
        """What is to be predicted; errors as `read_images_ts` raises them."""
        return read_images_ts(self.dataset, self.dataset_json())

    def is_newer(self, path: Path, labels: Sequence[Path] = ()) -> bool:
        """Whether a file is there that was made by these networks, not by a training before, and with these labels."""
        sources = [*self.checkpoints, *labels]
        made = max((source.stat().st_mtime for source in sources if source.is_file()), default=0.0)
        return path.is_file() and path.stat().st_mtime >= made

    def is_done(self) -> bool:
        """Whether the test set that is there now has been predicted by these networks, and evaluated if it can be."""
        images, ending = self.images(), self.ending()
        try:
            if images.labels is None:
                last, found = self.folder / PREDICTED, set(read_json(self.folder / PREDICTED, list_of(text)))
            else:
                last, found = self.summary, set(read_summary(self.summary, ending, again(self.part)))
        except (FileNotFoundError, ValueError):
            return False  # not there yet, or cut off by a kill
        return found == set(images.cases) and self.is_newer(last, images.label_files(ending))

    def goes_on_from(self, configuration: str) -> bool:
        """Whether the same folds of another configuration, the first stage of a cascade, have predicted every case."""
        stage = self.stage(configuration)
        return all(stage.is_newer(stage.folder / f"{case}{self.ending()}") for case in self.images().cases)

    def progress(self) -> Progress:
        """How many cases are predicted."""
        images, ending = self.images(), self.ending()
        done = sum(self.is_newer(self.folder / f"{case}{ending}") for case in images.cases)
        return Progress(done, len(images.cases), None, None, "cases")

    def ending(self) -> str:
        """Of label maps."""
        ending: str = self.dataset_json()["file_ending"]
        return ending
