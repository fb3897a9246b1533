"""Where universal runs lie among the results."""

from pathlib import Path

from nnunet_skipx.nnunet.folders import results_folder
from nnunet_skipx.nnunet.names import begins_like

UNIVERSAL = "nnUNetTrainerU2NetUniversal"


def model_folders(number: int, plans: str = "*", configuration: str = "*") -> list[Path]:
    """The universal run's model folders among the results.

    Raises:
        FileNotFoundError: there is none.
    """
    pattern = f"{begins_like(str(number))}*/{UNIVERSAL}*__{plans}__{configuration}"
    folders = sorted(results_folder().glob(pattern))
    if not folders:
        raise FileNotFoundError(
            f"no results {pattern} in {results_folder()}: train the run first, nnUNetv2_train {number} 3d_fullres 0 "
            f"-tr {UNIVERSAL}"
        )
    return folders
