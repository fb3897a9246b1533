"""What nnU-Net's export asks for beside a checkpoint, wherever that came from."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from nnunetv2.paths import nnUNet_preprocessed
from nnunetv2.training.logging.nnunet_logger import LocalLogger

from nnunet_skipx.system.files import write_bytes, write_json
from nnunet_skipx.system.json_files import anything, object_of, read_json, record

FINGERPRINT = "dataset_fingerprint.json"
PROGRESS = "progress.png"
SUMMARY = Path("validation", "summary.json")
CONTENT = object_of(anything)


def fingerprint_of(dataset: str) -> dict[str, Any]:
    """nnU-Net's fingerprint of a data set, empty where there is none."""
    return content_of(Path(str(nnUNet_preprocessed)) / dataset / FINGERPRINT)


def content_of(path: Path) -> dict[str, Any]:
    """A JSON file of nnU-Net's that is only passed on, empty where there is none; ValueError where it is broken."""
    if not path.is_file():
        return {}
    content: dict[str, Any] = read_json(path, CONTENT, "restore the file, or have nnU-Net write it again")
    return content


def domains_summaries(fold: Path) -> dict[str, dict[str, Any]]:
    """The validation summaries of a run's domains, by data set; empty where the fold was not validated."""
    path = fold / SUMMARY
    if not path.is_file():
        return {}
    cure = "validate the run again with nnUNetv2_train ... --val"
    content = read_json(path, record({}, {"summaries": object_of(CONTENT)}), cure)
    summaries: dict[str, dict[str, Any]] = content.get("summaries", {})
    return summaries


def write_description(domain: dict[str, Any], dataset: str, model: Path) -> None:
    """Plans, dataset.json and fingerprint of a domain into its model folder."""
    write_json(model / "plans.json", domain["plans"])
    write_json(model / "dataset.json", domain["dataset_json"])
    fingerprint = Path(str(nnUNet_preprocessed)) / dataset / FINGERPRINT
    if fingerprint.is_file():
        shutil.copyfile(fingerprint, model / FINGERPRINT)
    elif domain.get("fingerprint"):
        write_json(model / FINGERPRINT, domain["fingerprint"])


def write_training(log: dict[str, Any], summary: dict[str, Any], fold: Path) -> None:
    """Picture of the training and summary of the validation into a domain's fold, where they are not there yet."""
    if not (fold / PROGRESS).is_file():
        logger = LocalLogger()
        logger.load_checkpoint(log)
        with tempfile.TemporaryDirectory(prefix="skipx_progress_") as folder:
            logger.plot_progress_png(folder)
            write_bytes(fold / PROGRESS, Path(folder, PROGRESS).read_bytes())
    if summary and not (fold / SUMMARY).is_file():
        (fold / SUMMARY).parent.mkdir(exist_ok=True)
        write_json(fold / SUMMARY, summary)
