"""The demo's folder: nnU-Net's three folders, logs and the report, and the environment its processes run in."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from nnunet_skipx.discovery import append_to_environment

NEEDED_MEGABYTES = 300  # checkpoints, predictions, report; preprocessed data comes on top
NEEDED_PER_SOURCE = 10  # raw copy, preprocessed float32 and predictions, in multiples of the compressed source


@dataclass(frozen=True)
class Workspace:
    """Where one demo keeps everything; a second run in the same folder continues the first."""

    folder: Path

    @property
    def raw(self) -> Path:
        return self.folder / "nnUNet_raw"

    @property
    def preprocessed(self) -> Path:
        return self.folder / "nnUNet_preprocessed"

    @property
    def results(self) -> Path:
        return self.folder / "nnUNet_results"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    def create(self) -> None:
        """Make the folders and point this process's nnU-Net at them and at our trainers."""
        for path in (self.raw, self.preprocessed, self.results, self.logs):
            path.mkdir(parents=True, exist_ok=True)
        os.environ.update(self.folders())
        append_to_environment()

    def require_space(self, source: Path) -> None:
        """Refuse to start on a disk that the demo would fill; OSError with what is needed and what is free."""
        source_bytes = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
        needed = NEEDED_MEGABYTES + NEEDED_PER_SOURCE * source_bytes // 2**20
        free = shutil.disk_usage(self.folder).free // 2**20
        if free < needed:
            raise OSError(
                f"the disk of {self.folder} has {free} MB free, and a demo on {source} needs about {needed} MB: "
                "free some space, or name a folder on another disk"
            )

    def folders(self) -> dict[str, str]:
        """nnU-Net's environment variables for this workspace."""
        folders = {"nnUNet_raw": self.raw, "nnUNet_preprocessed": self.preprocessed, "nnUNet_results": self.results}
        return {name: str(path.resolve()) for name, path in folders.items()}

    def planning_environment(self) -> dict[str, str]:
        """For planning and preprocessing, which crash with nnUNet_n_proc_DA=0."""
        environment = {**os.environ, **self.folders()}
        environment.pop("nnUNet_n_proc_DA", None)
        return environment
