"""The words of trainers' names; what each does is in `training/options/`."""

import pkgutil
import re
from collections.abc import Mapping, Sequence

import nnunet_skipx.trainers as trainers_package
from nnunet_skipx.nnunet.trainer_name import BASELINE, FLOPSTWIN, SKIPS, TWIN
from nnunet_skipx.system.names import did_you_mean

EPOCHS = re.compile(r"([1-9][0-9]{0,5})epochs|1epoch")  # the singular as in nnU-Net's own nnUNetTrainer_1epoch
NUMBERED = re.compile(r"([a-z]+)([1-9][0-9]*)")  # a trainer's own option with a number, such as from500
SINGULAR = re.compile(r"[1-9][0-9]*epoch")
MASKED = re.compile(f"{SKIPS}[01]+")
MISMASKED = re.compile(f"{SKIPS}[0-9]*")
MASK = f"{SKIPS}{{mask}}"
OPTIONS = {
    "{N}epochs": "train for N epochs instead of 1000",
    TWIN: "the network's twin: as many parameters, without what it claims to gain from (not on nnUNetTrainer)",
    FLOPSTWIN: "the same with as many operations instead (not on nnUNetTrainer)",
    "bf16": "autocast to bfloat16 instead of float16, without GradScaler",
    "gpuaug": "nnU-Net's training augmentation on the GPU; workers only load and crop",
    "elastic": "elastic deformation of the 3D U-Net's authors on top (with _gpuaug)",
    "fast": "nnU-Net's training in less time on a GPU: fused optimiser, channels last, no waits; the same mathematics",
    "adamw": "AdamW 3e-4, weight decay 5e-2, warm-up, gradient norm at most 1, instead of nnU-Net's SGD",
    "stage2": "freeze a trained U-Net given by -pretrained_weights, train the mechanism (not on nnUNetTrainer)",
    "warm": "start from -pretrained_weights, in a folder of its own beside the same trainer from scratch",
    MASK: "only some of the skips: a digit for each, full resolution first, 1 kept, 0 cut (on nnUNetTrainer only)",
    "demo": "the shortened schedule of `skipx demo`, optimiser included",
}
OF_MECHANISMS = (TWIN, FLOPSTWIN, "stage2")


def trainer_names() -> list[str]:
    """The package's trainers without their variants."""
    return sorted(module.name for module in pkgutil.iter_modules(trainers_package.__path__))


def is_ours(base: str, options: Sequence[str]) -> bool:
    """Whether a name is one of our trainers', right or wrong: those of nnU-Net's own have an option of ours."""
    ours = any(kind(o) in OPTIONS or SINGULAR.fullmatch(o) or MISMASKED.fullmatch(o) for o in options)
    return base in trainer_names() or (base == BASELINE and ours)


def kind(option: str) -> str:
    """What an option is called in a list: `{N}epochs`, `skips{mask}`, `from{N}` for every number, else itself."""
    if MASKED.fullmatch(option):
        return MASK
    if EPOCHS.fullmatch(option):
        return "{N}epochs"
    numbered = NUMBERED.fullmatch(option)
    return f"{numbered[1]}{{N}}" if numbered and option not in OPTIONS else option


def unknown_option(name: str, base: str, option: str, known: Mapping[str, str], problem: str = "") -> str:
    """The sentence on an option that the trainer `base` does not take, with the likeliest and the list of `known`."""
    likeliest = f" (did you mean _{option}s?)" if SINGULAR.fullmatch(option) else ""
    likeliest = likeliest or did_you_mean(f"_{option}", [f"_{other}" for other in known])
    problem = problem or f"there is no option '_{option}'{likeliest}"
    listed = "\n".join(f"  _{other:10s} {text}" for other, text in known.items())
    return (
        f"{name!r}: {problem}. A name is {base} followed by options of this list, each at most once:\n{listed}\n"
        f"Trainers: {', '.join([BASELINE, *trainer_names()])}"
    )
