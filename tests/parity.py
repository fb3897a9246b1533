"""Compare our modules with reference vectors: `python -m tests.parity FILE.npz [...]`; exit 1 if one differs.

Builds the module that the trainers use from the file's `meta`, copies the parameters in by name, evaluates in float64
and prints max |difference| / (1 + |value|) for every `out64/*` (limit 1e-5). Intermediate values and gradients were
stored in float32: for these it prints the largest difference in units of the tolerance that the rounding of the
reference allows, 10 times its float32-to-float64 difference plus 1e-5 (limit 1).
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests import parity_cases

OUTPUT_LIMIT = 1e-5


class Reference:
    """One reference file: its arrays as float64 tensors by key, and its meta data."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        self.meta: dict[str, Any] = json.loads(str(arrays.pop("meta")))
        self.values = {key: torch.from_numpy(np.asarray(array)) for key, array in arrays.items()}
        self.values = {key: v.double() if v.is_floating_point() else v for key, v in self.values.items()}

    def group(self, prefix: str) -> dict[str, torch.Tensor]:
        """Values below `prefix/`, by their name without it."""
        return {key[len(prefix) + 1 :]: value for key, value in self.values.items() if key.startswith(f"{prefix}/")}

    def tolerance(self, key: str) -> float:
        """Absolute tolerance for a value that was stored in float32."""
        return 10 * self.meta["max_abs_diff_float32_vs_float64"].get(key, 0.0) + 1e-5


def cases() -> dict[str, Callable[[Reference], dict[str, torch.Tensor]]]:
    """The `CASES` of every file in parity_cases/: how a case's name begins, and what computes its values."""
    modules = pkgutil.iter_modules(parity_cases.__path__, f"{parity_cases.__name__}.")
    return {prefix: case for module in modules for prefix, case in importlib.import_module(module.name).CASES.items()}


def compare(reference: Reference, ours: dict[str, torch.Tensor]) -> list[tuple[str, float, float]]:
    """Key, difference and limit for every value of the file that can be compared."""
    rows = []
    for key, expected in sorted(reference.values.items()):
        if key.split("/")[0] not in ("out64", "mid", "grad", "grad_loss"):
            continue
        if key not in ours:
            raise KeyError(f"the case computes no {key}")
        if ours[key].shape != expected.shape:
            raise ValueError(f"{key}: our shape is {tuple(ours[key].shape)}, the file's {tuple(expected.shape)}")
        difference = (ours[key].detach().double() - expected.double()).abs()
        if key.startswith("out64/"):
            rows.append((key, float((difference / (1 + expected.abs())).max()), OUTPUT_LIMIT))
        else:
            rows.append((key, float(difference.max()) / reference.tolerance(key), 1.0))
    return rows


def check_file(path: Path) -> bool:
    """Print the comparison of one file; True if everything agrees."""
    reference = Reference(path)
    name = reference.meta["case"]
    case = next((function for prefix, function in cases().items() if name.startswith(prefix)), None)
    if case is None:
        raise ValueError(f"{path}: no module of ours answers to the case {name!r}; known: {', '.join(cases())}")
    rows = compare(reference, case(reference))
    print(f"{path.name}: {name}, {len(rows)} values")
    for key, difference, limit in rows:
        verdict = "ok" if difference <= limit else "DIFFERS"
        print(f"  {key:32s} {difference:10.3e}  (limit {limit:g})  {verdict}")
    return bool(rows) and all(difference <= limit for _, difference, limit in rows)


def main(paths: Sequence[str]) -> int:
    """Check all files, also after one that differs."""
    if not paths:
        print(__doc__)
        return 2
    results = []
    for path in paths:
        try:
            results.append(check_file(Path(path)))
        except (ValueError, KeyError, FileNotFoundError) as error:
            print(error, file=sys.stderr)
            results.append(False)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
