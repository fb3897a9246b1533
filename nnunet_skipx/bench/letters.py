"""What a user says of a matrix, in nnU-Net's letters on the command line or in a file."""

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from nnunet_skipx.bench.matrix import Matrix
from nnunet_skipx.nnunet.folds import fold_named
from nnunet_skipx.nnunet.json_files import read_plans
from nnunet_skipx.nnunet.planned import planned_skips, plans_file, require_configuration
from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.training.rows import ABLATIONS, with_ablation, with_architectures

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# nnU-Net's letter, as on the command line and in a file: field of Matrix, kinds of value
LETTERS: dict[str, tuple[str, tuple[type, ...]]] = {
    "d": ("datasets", (int, str)),
    "c": ("configurations", (str,)),
    "tr": ("trainers", (str,)),
    "p": ("plans", (str,)),
    "f": ("folds", (int, str)),
    "npz": ("npz", (bool,)),
    "replicates": ("replicates", (int,)),
    "pretrained_weights": ("weights", (str,)),
}
TRAINERS = ("architectures", "skips")  # words that stand for trainers, so that -tr need not be there
REQUIRED = ("d", "c", "tr")
EXAMPLE = """\
    d = [4, 27]
    c = ["3d_fullres"]
    tr = ["nnUNetTrainer", "nnUNetTrainerUTANet"]
    f = [0, 1, 2, 3, 4]"""


def read_matrix(path: Path) -> Matrix:
    """The matrix in a TOML file, whose keys are nnU-Net's letters (`LETTERS`).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not TOML, a key that does not exist or is missing, or a value of another kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; a matrix reads, for example:\n{EXAMPLE}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML ({error}); a matrix reads, for example:\n{EXAMPLE}") from error
    known = (*LETTERS, *TRAINERS)
    if unknown := [key for key in content if key not in known]:
        raise ValueError(f"{path} has the key {unknown[0]!r}; a matrix has {', '.join(known)}, as in:\n{EXAMPLE}")
    if missing := lacking(content):
        raise ValueError(f"{path} lacks the key {missing!r}; a matrix reads, for example:\n{EXAMPLE}")
    return matrix_from({key: _value(path, key, value) for key, value in content.items()})


def lacking(content: Collection[str]) -> str:
    """The first letter that a matrix needs and has not; empty where it has all."""
    stands_for_trainers = any(word in content for word in TRAINERS)
    missing = [key for key in REQUIRED if key not in content and not (key == "tr" and stands_for_trainers)]
    return missing[0] if missing else ""


def matrix_from(content: Mapping[str, Any]) -> Matrix:
    """The matrix of what letters say, and of the words that stand for trainers.

    Raises:
        FileNotFoundError, ValueError: as of the words, see `training.rows`, or skips are asked for of plans that
            are not there, or that have unlike numbers of them.
    """
    fields = {LETTERS[key][0]: value for key, value in content.items() if key in LETTERS}
    if "architectures" in content:
        fields["trainers"] = with_architectures(fields.get("trainers", ()), content["architectures"])
    if "skips" in content:
        matrix = Matrix(**{"trainers": (BASELINE,), **fields})
        fields["trainers"] = with_ablation(matrix.trainers, _number_of_skips(matrix), content["skips"])
    return Matrix(**fields)


def _number_of_skips(matrix: Matrix) -> int:
    """That of every planned U-Net of a matrix."""
    found: dict[int, str] = {}
    for dataset in matrix.datasets:
        for plans in matrix.plans:
            content = read_plans(plans_file(dataset, plans))
            for configuration in matrix.configurations:
                require_configuration(content, configuration)
                skips = planned_skips(content, configuration)
                found.setdefault(skips, f"{content['dataset_name']} {configuration} ({plans})")
    if len(found) > 1:
        (one, where), (other, elsewhere) = list(found.items())[:2]
        raise ValueError(
            f"{where} has {one} skips and {elsewhere} {other}, so that they have no trainers of cut skips in common: "
            "bench one after the other"
        )
    return next(iter(found))


def _value(path: Path, key: str, value: Any) -> Any:
    """The value of one key as `Matrix` takes it."""
    name, kinds = LETTERS.get(key, (key, (str,)))
    values = value if isinstance(value, list) else [value]
    if wrong := [item for item in values if type(item) not in kinds]:
        words = {int: "a number", str: "a text in quotes", bool: "true or false"}
        wanted = " or ".join(words[kind] for kind in kinds)
        raise ValueError(f"{path}: {key} contains {wrong[0]!r}, where {wanted} belongs")
    if "" in values:
        raise ValueError(f"{path}: {key} is an empty text: fill it in, or leave the key out")
    if name in ("npz", "replicates", "weights", "skips"):
        if isinstance(value, list):
            raise ValueError(f"{path}: {key} is a list; give one value")
        if name == "skips" and value not in ABLATIONS:
            raise ValueError(f"{path}: {key} is {value!r}; give one of {', '.join(ABLATIONS)}")
        return value
    if name != "folds":
        return tuple(map(str, values))
    try:
        return tuple(map(fold_named, values))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
