"""The grammar of trainers' names: a trainer, then options, each behind an underscore."""

from typing import NamedTuple

BASELINE = "nnUNetTrainer"

# Options that make a twin of the trainer without them.
TWIN = "twin"  # ingredients that the network claims are taken out, at as many parameters
FLOPSTWIN = "flopstwin"  # the same, at as many operations
WITHOUT = "without-"  # this one claimed ingredient is taken out, at as many parameters; several may stand in a name

SKIPS = "skips"  # with a digit for each skip: which of the baseline's are kept

WARM = "warm"  # started from pretrained weights
STARTED = (WARM, "stage2")  # options that want a file of weights to start from


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

    @property
    def is_started(self) -> bool:
        """Whether its training starts from a file of weights.

        >>> TrainerName.of("nnUNetTrainer_warm_bf16").is_started
        True
        """
        return any(option in STARTED for option in self.options)

    @property
    def masks(self) -> tuple[str, ...]:
        """What the name says of which skips are kept, at most once where it is a name.

        >>> TrainerName.of("nnUNetTrainer_skips0111_bf16").masks
        ('0111',)
        """
        behind = (o.removeprefix(SKIPS) for o in self.options if o.startswith(SKIPS))
        return tuple(mask for mask in behind if mask.isdigit())

    @property
    def is_stock(self) -> bool:
        """Whether its network is nnU-Net's own.

        >>> [TrainerName.of(name).is_stock for name in ("nnUNetTrainer_bf16", "nnUNetTrainer_skips0111")]
        [True, False]
        """
        return self.base == BASELINE and not self.masks

    def without(self, option: str) -> "TrainerName":
        """The same without an option, wherever it stands."""
        return TrainerName(self.base, tuple(o for o in self.options if o != option))

    @property
    def twin_options(self) -> frozenset[str]:
        """Those of the options that make a twin.

        >>> TrainerName.of("nnUNetTrainerUTANet_bf16_without-gates").twin_options
        frozenset({'without-gates'})
        """
        return frozenset(o for o in self.options if o in (TWIN, FLOPSTWIN) or o.startswith(WITHOUT))

    @property
    def left_out(self) -> tuple[str, ...]:
        """The ingredients that the name itself says are taken out; empty where it says none, as that of a `_twin`.

        >>> TrainerName.of("nnUNetTrainerMSAUNet_without-head_bf16_without-attention").left_out
        ('head', 'attention')
        """
        return tuple(o.removeprefix(WITHOUT) for o in self.options if o.startswith(WITHOUT))

    def is_twin_of(self, other: "TrainerName") -> bool:
        """Whether this is the other, which is no twin, with the options of one twin; options come in any order.

        >>> bf16 = TrainerName.of("nnUNetTrainerUTANet_bf16")
        >>> [TrainerName.of("nnUNetTrainerUTANet_" + options).is_twin_of(bf16) for options in ("twin_bf16", "twin")]
        [True, False]
        """
        own = self.twin_options
        of_one_kind = own in ({TWIN}, {FLOPSTWIN}) or (bool(own) and all(o.startswith(WITHOUT) for o in own))
        rest = frozenset(self.options) - own
        return of_one_kind and not other.twin_options and (self.base, rest) == (other.base, frozenset(other.options))
