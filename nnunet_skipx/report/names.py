"""Names of rows as short as the page can have them: what all of them begin with, or have as an option, is left out."""

import re
from collections.abc import Callable, Mapping, Sequence

from nnunet_skipx.nnunet.trainer_name import BASELINE, TrainerName
from nnunet_skipx.report.twins import trainer_in


def short_names(rows: Sequence[str]) -> dict[str, str]:
    """Row -> its name without nnU-Net's prefix and without the options that every trainer has; the same where unclear.

    >>> list(short_names(["nnUNetTrainer_bf16", "nnUNetTrainerXUNet_bf16", "nnUNetTrainerXUNet_twin_bf16"]).values())
    ['nnUNetTrainer', 'XUNet', 'XUNet_twin']
    """
    shared = shared_options(rows)
    short = {row: _short(row, shared) if row.startswith(BASELINE) else row for row in rows}
    return short if len(set(short.values())) == len(short) else {row: row for row in rows}


def shared_options(rows: Sequence[str]) -> tuple[str, ...]:
    """The options that every trainer's name has, of two or more.

    >>> shared_options(["nnUNetTrainer_5epochs", "nnUNetTrainerXUNet_twin_5epochs", "atlas (no network)"])
    ('5epochs',)
    """
    options = [trainer_in(row).options for row in rows if row.startswith(BASELINE)]
    return tuple(o for o in options[0] if all(o in others for others in options)) if len(options) > 1 else ()


def names_note(rows: Sequence[str]) -> str:
    """What is left out of the names, in a sentence; empty where nothing is."""
    if all(row == short for row, short in short_names(rows).items()):
        return ""
    parts = [f"{BASELINE} at their beginning", *(f"_{option}" for option in shared_options(rows))]
    return f"Names are without {' and '.join([', '.join(parts[:-1]), parts[-1]] if parts[1:] else parts)}."


def shortener(names: Mapping[str, str]) -> Callable[[str], str]:
    """A function that puts short names in the place of whole ones, wherever they stand in a text.

    names: of `short_names`.

    >>> shortener({"nnUNetTrainerXUNet": "XUNet"})("nnUNetTrainerXUNet is better than nnUNetTrainerXUNet_twin")
    'XUNet is better than nnUNetTrainerXUNet_twin'
    """
    short = {row: name for row, name in names.items() if row != name}
    whole = "|".join(re.escape(row) for row in sorted(short, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{whole})(?!\w)")
    return lambda text: pattern.sub(lambda found: short[found[0]], text) if short else text


def _short(row: str, shared: Sequence[str]) -> str:
    name, blank, rest = row.partition(" ")
    trainer = TrainerName.of(name)
    kept = TrainerName(trainer.base, tuple(option for option in trainer.options if option not in shared)).text
    own = kept.removeprefix(BASELINE)
    return f"{own if own[:1].isalpha() else kept}{blank}{rest}"
