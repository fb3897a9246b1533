"""`skipx inspect`: what the skips of a trained model do, measured on the cases that its folds are validated on."""
import itertools
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from nnunet_skipx.benchmark.ablation import Observation, observed, skip_replaced
from nnunet_skipx.benchmark.inspection import KINDS, inspection_file, read_inspection
from nnunet_skipx.benchmark.trained_fold import TrainedFold
from nnunet_skipx.files import finite, write_json
from nnunet_skipx.text_table import text_table


def inspect_model(folder: Path, folds: Sequence[int] | None, device: str, checkpoint: str) -> str:
    """Inspect folds of a model folder and write what was found into each; returns a summary for the terminal.

    Args:
        folder: `<nnUNet_results>/DatasetXXX_Name/TRAINER__PLANS__CONFIGURATION`.
        folds: None for all that have the checkpoint.
        device: `cpu` or `cuda`.
        checkpoint: name of the file in the fold's folder.

    Raises:
        FileNotFoundError: no such model, checkpoint or preprocessed data.
        ValueError: no GPU; a configuration that needs another's predictions; a fold of no split; no U-Net.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("torch sees no CUDA GPU here: add -device cpu, or run `skipx doctor` on the GPU machine")
    chosen = trained_folds(folder, folds, checkpoint)
    for fold in chosen:
        with redirect_stdout(sys.stderr):  # nnU-Net's remarks
            content = inspect_fold(folder, fold, device, checkpoint)
        write_json(inspection_file(folder, fold), finite(content))
    return "\n".join([summary(folder, chosen), *(f"wrote {inspection_file(folder, fold)}" for fold in chosen)])


def trained_folds(folder: Path, folds: Sequence[int] | None, checkpoint: str) -> list[int]:
    """The folds asked for, or all, that have the checkpoint; FileNotFoundError where one has not."""
    for name in ("plans.json", "dataset.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is missing, so {folder} is no trained model: give a folder "
                "<nnUNet_results>/DatasetXXX_Name/TRAINER__PLANS__CONFIGURATION"
            )
    numbers = [path.parent.name.removeprefix("fold_") for path in folder.glob(f"fold_*/{checkpoint}")]
    there = sorted(int(number) for number in numbers if number.isdigit())
    wanted = there if folds is None else list(folds)
    if not wanted or not set(wanted) <= set(there):
        lacking = ", ".join(f"fold_{fold}" for fold in wanted if fold not in there) or "any fold"
        raise FileNotFoundError(
            f"{folder} has no {checkpoint} of {lacking} (it has one of {', '.join(map(str, there)) or 'none'}): "
            "finish the training with nnUNetv2_train ... --c, or name other folds with -f"
        )
    return wanted


def inspect_fold(folder: Path, fold: int, device: str, checkpoint: str) -> dict[str, Any]:
    """What is written for a fold: Dice per case intact and with each skip cut, routing per case, attention."""
    trained = TrainedFold.load(folder, fold, device, checkpoint)
    observation, intact = Observation(), {}
    for case in tqdm(trained.cases, desc=f"fold {fold} intact"):
        with observed(trained.network, observation, case):
            intact[case] = trained.dice(case)
    means = [mean.value() for _, mean in sorted(observation.maps.items())][:-1]  # the last is the bottleneck
    if not means:
        raise ValueError(f"{type(trained.network).__name__} never calls its encoder, so no skip of it can be cut")
    cut = cut_dice(trained, means, f"fold {fold} cut")
    return {
        "checkpoint": checkpoint,
        "skips": len(means),
        "cases": {case: {"intact": intact[case], **cut[case]} for case in trained.cases},
        "routing": {
            case: torch.cat([mean.value() for mean in modules.values()]).tolist()
            for case, modules in observation.routing.items()
        },
        "attention": {name: mean.value().tolist() for name, mean in observation.attention.items()},
    }


def cut_dice(trained: TrainedFold, means: Sequence[torch.Tensor], words: str) -> dict[str, dict[str, list[float]]]:
    """By case and kind the Dice with each skip replaced, given its mean `(C,)`; `words` name the progress bar."""
    replacements = {"zeroed": [torch.zeros_like(mean) for mean in means], "mean": means}
    found: dict[str, dict[str, list[float]]] = {case: {kind: [] for kind in KINDS} for case in trained.cases}
    with tqdm(total=len(trained.cases) * len(KINDS) * len(means), desc=words) as bar:
        for case, kind in itertools.product(trained.cases, KINDS):
            for stage, channels in enumerate(replacements[kind]):
                with skip_replaced(trained.network, stage, channels):
                    found[case][kind].append(trained.dice(case))
                bar.update()
    return found


def summary(folder: Path, folds: Sequence[int]) -> str:
    """Mean Dice lost per skip over the cases of the folds, as a text table."""
    found = read_inspection(folder, folds)
    assert found is not None, "it was just written"
    lost = found.losses.groupby(["skip", "kind"])["lost"].mean()
    skips = sorted(set(found.losses["skip"]))
    rows = [
        {
            "skip": str(skip),
            "Dice lost when zeroed": f"{lost[skip, 'zeroed']:.4f}",
            "when replaced by its mean": f"{lost[skip, 'mean']:.4f}",
        }
        for skip in skips
    ]
    intact = found.intact["dice"]
    model = folder.resolve().name
    header = f"{model}: mean Dice {intact.mean():.4f} of {len(intact)} preprocessed cases, without mirroring"
    return "\n".join([header, "", text_table(rows), ""])
