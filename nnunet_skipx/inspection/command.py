"""`skipx inspect`: what skips and gates of a trained model do, measured on the cases its folds are validated on."""

import itertools
import math
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from nnunet_skipx.inspection.ablation import Observation, observed, skip_of_another, skip_zeroed
from nnunet_skipx.inspection.choice import trained_folds
from nnunet_skipx.inspection.records import KINDS, Inspection, inspection_file, read_inspection
from nnunet_skipx.inspection.trained_fold import TrainedFold
from nnunet_skipx.nnunet.folds import Fold
from nnunet_skipx.statistics.text import NONE, format_interval
from nnunet_skipx.system.files import finite, write_json
from nnunet_skipx.system.text_table import text_table

CUTS = {"zeroed": skip_zeroed, "other": skip_of_another}
COLUMNS = {"zeroed": "Dice lost when zeroed [95 % CI]", "other": "when replaced by another case's [95 % CI]"}


def inspect_model(folder: Path, folds: Sequence[Fold] | None, device: str, checkpoint: str) -> str:
    """Inspect folds of a model folder and write what was found into each; returns a summary for the terminal.

    Args:
        folder: `<nnUNet_results>/DatasetXXX_Name/TRAINER__PLANS__CONFIGURATION`.
        folds: None for all that have the checkpoint.
        device: `cpu` or `cuda`.
        checkpoint: name of the file in the fold's folder.

    Raises:
        FileNotFoundError: no such model, checkpoint or preprocessed data.
        ValueError: no GPU; a configuration that needs another's predictions; a fold of no split, or all; no U-Net.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("torch sees no CUDA GPU here: add -device cpu, or run `skipx doctor` on the GPU machine")
    chosen = trained_folds(folder, folds, checkpoint)
    for fold in chosen:
        with redirect_stdout(sys.stderr):  # nnU-Net's remarks
            content = inspect_fold(folder, fold, device, checkpoint)
        write_json(inspection_file(folder, fold), finite(content))
    return "\n".join([inspection_text(folder, chosen), *(f"wrote {inspection_file(folder, fold)}" for fold in chosen)])


def inspect_fold(folder: Path, fold: int, device: str, checkpoint: str) -> dict[str, Any]:
    """What is written for a fold: Dice per case intact and with each skip cut, and what gates and attention did."""
    trained = TrainedFold.load(folder, fold, device, checkpoint)
    observation, intact = Observation(), {}
    for case in tqdm(trained.cases, desc=f"fold {fold} intact"):
        with observed(trained.network, observation, case):
            intact[case] = trained.dice(case)
    skips = observation.stages - 1  # the bottleneck is none
    if skips < 1:
        raise ValueError(f"{type(trained.network).__name__} never calls its encoder, so no skip of it can be cut")
    cut = cut_dice(trained, skips, f"fold {fold} cut")
    return {
        "checkpoint": checkpoint,
        "skips": skips,
        "cases": {case: {"intact": intact[case], **cut[case]} for case in trained.cases},
        **mechanisms(observation),
    }


def mechanisms(observation: Observation) -> dict[str, Any]:
    """What gates and attention did, as it is written for a fold."""
    return {
        "routing": {
            case: torch.cat([mean.value() for mean in modules.values()]).tolist()
            for case, modules in observation.routing.items()
        },
        "pairs": [len(found) for found in observation.pairs.values()],
        "gates": {name: {"spread": spread} for name, spread in observation.spreads().items()},
        "attention": {name: mean.value().tolist() for name, mean in observation.attention.items()},
    }


def cut_dice(trained: TrainedFold, skips: int, words: str) -> dict[str, dict[str, list[float] | None]]:
    """By case and kind the Dice with each skip cut; `words` name the progress bar.

    The donor of another skip is the next case of the fold. In a fold of a single case that kind is None.
    """
    donors = dict(zip(trained.cases, [*trained.cases[1:], trained.cases[0]], strict=True))
    found: dict[str, dict[str, list[float] | None]] = {case: dict.fromkeys(KINDS) for case in donors}
    kinds = KINDS if len(donors) > 1 else ("zeroed",)
    with tqdm(total=len(donors) * len(kinds) * skips, desc=words) as bar:
        for (case, donor), kind in itertools.product(donors.items(), kinds):
            dice = found[case][kind] = []
            for stage in range(skips):
                with CUTS[kind](trained.network, stage):
                    dice.append(trained.dice(case, donor if kind == "other" else None))
                bar.update()
    return found


def inspection_text(folder: Path, folds: Sequence[int]) -> str:
    """Mean Dice lost per skip over the cases of the folds, and what the gates did, as text tables."""
    found = read_inspection(folder, folds)
    assert found is not None, "it was just written"
    intact = found.intact["dice"]
    model = folder.resolve().name
    header = f"{model}: mean Dice {intact.mean():.4f} of {len(intact)} preprocessed cases, without mirroring"
    parts = [header, loss_table(found), single_cases(found), gate_table(found), pair_table(found)]
    return "\n\n".join([part for part in parts if part]) + "\n"


def loss_table(found: Inspection) -> str:
    """Mean Dice lost per skip and kind with its 95 % CI over cases."""
    return text_table(
        [
            {"skip": str(skip), **{words: format_interval(found.loss(kind, skip)) for kind, words in COLUMNS.items()}}
            for skip in sorted(set(found.losses["skip"]))
        ]
    )


def single_cases(found: Inspection) -> str:
    """Which folds have no other case whose skips could be put in; empty where all have."""
    other = found.losses.loc[found.losses["kind"] == "other", "fold"]
    single = sorted(set(found.losses["fold"]) - set(other))
    if not single:
        return ""
    return f"Fold {', '.join(map(str, single))}: validated on a single case, so no other case's skips were put in."


def gate_table(found: Inspection) -> str:
    """By gate module the spread between cases, mean over folds; empty where there is none."""
    spreads = found.gates.groupby("gate", sort=False)["spread"].mean()
    words = [NONE if math.isnan(spread) else f"{spread:.2g}" for spread in spreads]
    rows = [{"gate": gate, "spread between cases": word} for gate, word in zip(spreads.index, words, strict=True)]
    return text_table(rows) if rows else ""


def pair_table(found: Inspection) -> str:
    """By gate of the routing how many pairs of experts it chose, minimum to maximum over folds; empty without."""
    ends = found.pairs.groupby("gate")["pairs"].agg(["min", "max"])
    rows = [
        {"routing gate": str(gate), "pairs of experts used": f"{low} to {high}" if low < high else str(low)}
        for gate, low, high in ends.itertuples()
    ]
    return text_table(rows) if rows else ""
