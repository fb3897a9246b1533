"""Where the data set to be checked lies."""

from pathlib import Path

from nnunet_skipx.datasets.destination import RAW, folder_of
from nnunet_skipx.nnunet.names import are_of
from nnunet_skipx.system.names import did_you_mean


def find_dataset(dataset: str) -> Path:
    """The folder in nnUNet_raw of an id or a name; FileNotFoundError or ValueError that says what there is."""
    raw = folder_of(RAW)
    found = are_of(dataset, (path for path in raw.glob("Dataset*") if path.is_dir()))
    if len(found) > 1:
        raise ValueError(f"{raw} holds several data sets {dataset}: {', '.join(path.name for path in found)}: give one")
    if not found:
        names = sorted(path.name for path in raw.glob("Dataset*"))
        there, likeliest = ", ".join(names) or "none", did_you_mean(dataset, names)
        raise FileNotFoundError(
            f"{raw} holds no data set {dataset} (there: {there}){likeliest}: give an id (4) or a full name"
        )
    return found[0]
