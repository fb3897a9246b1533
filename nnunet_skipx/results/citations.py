"""The papers that the compared trainers are of."""

from collections.abc import Iterable

from nnunet_skipx.nnunet.trainer_name import BASELINE, TrainerName
from nnunet_skipx.results.reference import Reference
from nnunet_skipx.results.references import BY_OPTION, BY_TRAINER

NNUNET = str(BY_TRAINER[BASELINE])


def citation(trainer: str) -> str:
    """The reference of a trainer, nnU-Net's for its own; empty where none is noted, or there is no such trainer."""
    if known := BY_TRAINER.get(TrainerName.of(trainer).base):
        return str(known)
    try:
        return own_citation(trainer)
    except (ValueError, ImportError, RuntimeError):  # of another environment
        return ""


def own_citation(trainer: str) -> str:
    """What a trainer of somebody's own has in `citation`; raises what the search for it does."""
    from nnunet_skipx.nnunet.search import find_trainer  # torch, which ours do not wait for

    return str(getattr(find_trainer(trainer), "citation", ""))


def bibliography(trainers: Iterable[str]) -> str:
    """BibTeX for trainers: of each network, of nnU-Net, and of what the options in the names add, every entry once.

    Raises:
        ValueError: no folder of the user's has a trainer that is neither ours nor nnU-Net's.
    """
    entries = [entry for trainer in trainers for entry in entries_for(trainer)]
    return "\n\n".join(dict.fromkeys(entries))


def entries_for(trainer: str) -> list[str]:
    """The network's, nnU-Net's, those of the options; a comment where a trainer names none."""
    base, options = TrainerName.of(trainer)
    network = BY_TRAINER[base].bibtex if base in BY_TRAINER else entry_of(base, own_citation(trainer))
    added = [BY_OPTION[option] for option in options if option in BY_OPTION]
    return [network, *(one.bibtex for one in (BY_TRAINER[BASELINE], *added))]


def entry_of(trainer: str, text: str) -> str:
    """An entry for a reference that is a text, as a trainer of somebody's own names it."""
    if not text:
        return f"% {trainer} names no reference of its own: ask its authors"
    return Reference(trainer, "misc", (), trainer, "", note=text).bibtex
