"""One domain of a universal run: nnU-Net's trainer for its data, loss and validation, led by the run's trainer."""

from typing import Any, ClassVar

from nnunet_skipx.training.trainer import SkipTrainer


class PartOption(SkipTrainer):
    """`_from{N}`: the domain's own network within universal run N, as `skipx universal extract` writes it.

    Its folder among the results is an ordinary model's: nnU-Net's commands predict with it, validate and export it.
    Only training is the run's, in which `UniversalTrainer` calls it.
    """

    number: ClassVar[int]
    is_led = False
    of_a_run = True

    def run_training(self) -> None:
        """Refuse: alone, this domain would pull the shared weights away from the others.

        Raises:
            RuntimeError: always; says what to do instead.
        """
        raise RuntimeError(
            f"{self.__class__.__name__} is a domain of the universal run {self.number} and is not trained alone: train "
            f"the run with nnUNetv2_train {self.number}, or this data set with nnUNetTrainerU2Net"
        )

    def preflight(self) -> None:
        """Nothing more: the run has tried every domain before the first one's workers started."""

    def save_checkpoint(self, filename: str) -> None:
        """Nothing: the run's checkpoint holds every domain, and `skipx universal extract` writes this one's."""

    def print_to_log_file(self, *args: Any, also_print_to_console: bool = True, add_timestamp: bool = True) -> None:
        """Into the domain's own log; within a run the terminal belongs to the run."""
        also_print_to_console = also_print_to_console and not self.is_led
        super().print_to_log_file(*args, also_print_to_console=also_print_to_console, add_timestamp=add_timestamp)
