"""Words that stand for many trainers: all networks of the package, or nnU-Net's own without each of its skips."""

from collections.abc import Iterable, Sequence

from nnunet_skipx.nnunet.trainer_name import BASELINE, SKIPS, TrainerName
from nnunet_skipx.skips.kept import ABLATIONS, Ablation, kept_skips, masks
from nnunet_skipx.system.names import did_you_mean
from nnunet_skipx.training.declared import declared, single_trainers
from nnunet_skipx.training.grammar import OPTIONS, kind, unknown_option

__all__ = ["ABLATIONS", "beside_baseline", "require_fitting_masks", "with_ablation", "with_architectures"]
ALL = "all"


def beside_baseline(words: Sequence[str]) -> list[str]:
    """The baseline, and the trainers of networks, each with options: with `all` those of every network that takes them.

    The baseline has the options that it takes, too.

    Raises:
        ValueError: there is no such network, or none takes these options.

    >>> beside_baseline(["UTANet_twin_demo", "XUNet_demo"])
    ['nnUNetTrainer_demo', 'nnUNetTrainerUTANet_twin_demo', 'nnUNetTrainerXUNet_demo']
    """
    asked = [TrainerName.of(word) for word in words]
    ours = [trainer.removeprefix(BASELINE) for trainer in single_trainers() if trainer != BASELINE]
    if unknown := [base for base, _ in asked if base not in (ALL, *ours)]:
        likeliest = did_you_mean(unknown[0].removeprefix(BASELINE), ours)
        raise ValueError(f"there is no network {unknown[0]!r}{likeliest}: give {ALL}, or some of {', '.join(ours)}")
    baselines = [TrainerName(BASELINE, tuple(o for o in name.options if takes(BASELINE, [o]))) for name in asked]
    rows = [row for name in asked for row in _trainers_of(name, ours)]
    return list(dict.fromkeys(name.text for name in (*baselines, *rows)))


def takes(trainer: str, options: Iterable[str]) -> bool:
    """Whether a trainer's name takes options; whether they go together is not looked at."""
    return all(kind(option) in declared(trainer).options for option in options)


def _trainers_of(name: TrainerName, ours: Sequence[str]) -> list[TrainerName]:
    """Those that a word stands for."""
    if name.base != ALL:
        return [TrainerName(BASELINE + name.base, name.options)]
    found = [TrainerName(BASELINE + one, name.options) for one in ours if takes(BASELINE + one, name.options)]
    if not found:
        raise ValueError(unknown_option(name.text, ALL, name.options[-1], OPTIONS, "no network takes these options"))
    return found


def with_architectures(trainers: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Trainers, and beside them those that words stand for, the baseline first.

    Raises:
        ValueError: as `beside_baseline`, or a trainer is named both ways; the baseline may be.
    """
    added = beside_baseline(words)
    stock = [name for name in added if TrainerName.of(name).is_stock]
    if twice := [name for name in trainers if name in added and name not in stock]:
        raise ValueError(f"{twice[0]} is named as a trainer and among the architectures: name it once")
    return tuple(dict.fromkeys([*stock, *trainers, *added]))


def with_ablation(trainers: Sequence[str], skips: int, ablation: Ablation) -> tuple[str, ...]:
    """Trainers, and behind each of nnU-Net's own the same without some of its skips, at last without all.

    Raises:
        ValueError: none is nnU-Net's own, or a trainer comes both ways.

    >>> with_ablation(["nnUNetTrainer_demo"], 2, "cut")
    ('nnUNetTrainer_demo', 'nnUNetTrainer_skips01_demo', 'nnUNetTrainer_skips10_demo', 'nnUNetTrainerNoSkip_demo')
    """
    rows: list[str] = []
    for trainer in trainers:
        base, options = name = TrainerName.of(trainer)
        rows.append(trainer)
        if name.is_stock:
            rows += [TrainerName(base, (f"{SKIPS}{mask}", *options)).text for mask in masks(skips, ablation)]
            rows.append(TrainerName(f"{base}NoSkip", options).text)
    if len(rows) == len(trainers):
        raise ValueError(f"{trainers[0]} has no skips to cut: name {BASELINE} beside it, with the same options")
    if twice := [name for name in rows if rows.count(name) > 1]:
        raise ValueError(f"{twice[0]} is named as a trainer, and the ablation of skips has it, too: name it once")
    return tuple(rows)


def require_fitting_masks(trainers: Iterable[str], skips: int, where: str) -> None:
    """Raise ValueError where the mask in a trainer's name is for another number of skips than the plans have."""
    for trainer in trainers:
        for mask in TrainerName.of(trainer).masks:
            try:
                kept_skips(mask, skips)
            except ValueError as error:
                raise ValueError(f"{trainer} cannot be trained on {where}: {error}") from error
