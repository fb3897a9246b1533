"""The grammar of trainers' names: a trainer, then options, each behind an underscore."""

from typing import NamedTuple

BASELINE = "nnUNetTrainer"


class TrainerName(NamedTuple):
    """`nnUNetTrainerUTANet_twin_bf16`: base nnUNetTrainerUTANet, options twin and bf16.

    >>> TrainerName.of("nnUNetTrainerUTANet_twin_bf16").options
    ('twin', 'bf16')
    >>> TrainerName.of("nnUNetTrainerUTANet_twin_bf16").without("twin").text
    'nnUNetTrainerUTANet_bf16'
    """

    base: str
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str) -> "TrainerName":
        """The parts of a name."""
        base, *options = name.split("_")
        return cls(base, tuple(options))

    @property
    def text(self) -> str:
        """The whole name."""
        return "_".join([self.base, *self.options])

    def without(self, option: str) -> "TrainerName":
        """The same without an option, wherever it stands."""
        return TrainerName(self.base, tuple(o for o in self.options if o != option))
