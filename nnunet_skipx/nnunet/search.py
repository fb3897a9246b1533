"""Finds trainers as nnU-Net's commands do."""

import io
import warnings
from contextlib import redirect_stdout

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name


def find_trainer(name: str) -> type[nnUNetTrainer]:
    """The trainer that nnU-Net's commands take for `-tr name`; ValueError where they find none."""
    try:
        # The search tells every step, and modules that it comes across warn of their own age.
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: type[nnUNetTrainer] = recursive_find_trainer_class_by_name(name)
            return found
    except RuntimeError as error:
        raise ValueError(
            f"nnU-Net finds no trainer {name!r}: check the spelling (`skipx list` shows ours), and with "
            "`skipx doctor` that the environment variable nnUNet_extTrainer is set."
        ) from error
