"""A protocol: which cases, classes and folds make numbers comparable; dataset.json carries it from raw to results."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

KEY = "skipx_protocol"  # in dataset.json, which nnU-Net copies to the preprocessed data and to every model folder


@dataclass(frozen=True)
class Protocol:
    """How a converted data set is evaluated.

    name: as printed in reports, for example `BTCV-13 5-fold`.
    data: whose cases; two protocols over the same ones must not meet in a table.
    folds: for each fold the digest of its validation cases (`fold_digest`).
    notes: sentences that a reader of results must know.
    """

    name: str
    data: str
    folds: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What stands under `KEY`."""
        return asdict(self)


def protocol_in(dataset_json: Mapping[str, Any]) -> Protocol | None:
    """The protocol that a dataset.json names; None for data sets that `skipx convert` did not make."""
    content = dataset_json.get(KEY)
    if not content:
        return None
    return Protocol(content["name"], content["data"], tuple(content["folds"]), tuple(content["notes"]))


def fold_digest(cases: Iterable[str]) -> str:
    """16 hexadecimal digits that two folds share only if they validate on the same cases."""
    return hashlib.sha256("\n".join(sorted(cases)).encode()).hexdigest()[:16]
