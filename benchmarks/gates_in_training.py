"""What UTANet's gates do after a demo: `python -m benchmarks.gates_in_training DEMO_FOLDER --label after`.

Prints a line per fold of nnUNetTrainerUTANet_demo for docs/norms_and_gates.md: Dice, balance loss of the last epoch,
the spread of the gates' probabilities over all cases, and the pairs of experts that each gate chose for all cases (in
brackets for the fold's validation cases alone).
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nnunet_skipx.demo.workspace import Workspace
from nnunet_skipx.inspection.trained_fold import TrainedFold
from nnunet_skipx.skips.gates import Routing

MODEL = "nnUNetTrainerUTANet_demo__*"
BALANCE = re.compile(r"Balance loss: ([0-9.]+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--label", default="")
    arguments = parser.parse_args()
    workspace = Workspace(arguments.folder.resolve())
    workspace.create()
    print("| | fold | Dice | balance loss | spread of probabilities | pairs of experts, by gate |")
    print("|---|---|---|---|---|---|")
    for folder in sorted(workspace.results.glob(f"*/{MODEL}/fold_*")):
        print(f"| {arguments.label} | {line(folder)} |", flush=True)


def line(folder: Path) -> str:
    """The cells of one fold."""
    dice = json.loads((folder / "validation" / "summary.json").read_text())["foreground_mean"]["Dice"]
    log = "".join(path.read_text() for path in sorted(folder.glob("training_log_*.txt")))
    with redirect_stdout(sys.stderr):
        trained = TrainedFold.load(folder.parent, int(folder.name.removeprefix("fold_")), "cpu", "checkpoint_final.pth")
        routings = by_case(trained)
    spread = torch.cat([r.probabilities for r in routings.values()]).std(0, correction=0).mean()
    pairs = zip(pairs_per_gate(routings.values()), pairs_per_gate(routings[c] for c in trained.cases), strict=True)
    counts = ", ".join(f"{everywhere} ({validated})" for everywhere, validated in pairs)
    return f"{folder.name[-1]} | {dice:.3f} | {BALANCE.findall(log)[-1]} | {spread:.4f} | {counts}"


def pairs_per_gate(routings: Iterable[Routing]) -> list[int]:
    """How many different sets of experts each gate chose."""
    chosen = torch.cat([routing.indices for routing in routings]).sort(-1).values
    return [len({tuple(experts) for experts in gate.tolist()}) for gate in chosen.unbind(1)]


def by_case(trained: TrainedFold) -> dict[str, Routing]:
    """What the gates decided for the windows of every preprocessed case."""
    found, seen = {}, []
    network: Any = trained.network
    network.skips.gates.register_forward_hook(lambda module, inputs, routing: seen.append(routing))
    everything = type(trained.dataset)(trained.dataset.source_folder)
    for case in everything.identifiers:
        seen.clear()
        image, _, _, _ = everything.load_case(case)
        trained.predictor.predict_sliding_window_return_logits(torch.from_numpy(np.array(image[:])))
        found[case] = Routing(*(torch.cat(parts) for parts in zip(*seen, strict=True)))
    return found


if __name__ == "__main__":
    main()
