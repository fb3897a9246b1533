"""Numbers stand in one table only when they follow one protocol; `skipx convert` writes it into dataset.json."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from nnunet_skipx.datasets.protocol import Protocol, fold_digest, protocol_in
from nnunet_skipx.results.collect import read_dataset_json

NNUNET_FOLDS = (0, 1, 2, 3, 4)


def common_protocol(models: Mapping[str, Sequence[Path]]) -> tuple[Protocol | None, tuple[str, ...]]:
    """The protocol that all model folders name, and a remark for each row that names none.

    Raises ValueError where two rows name different ones.
    """
    named = [(name, protocol_in(read_dataset_json(folder))) for name, folders in models.items() for folder in folders]
    found = [(name, protocol) for name, protocol in named if protocol is not None]
    if not found:
        return None, ()
    (first, protocol), *others = found
    for other, its in others:
        if its != protocol:
            raise ValueError(
                f"{first} was trained for the protocol {told(protocol)}, {other} for {told(its)}: their numbers do not "
                "belong in one table. Make a report of each, with -tr"
            )
    silent = dict.fromkeys(name for name, its in named if its is None)
    return protocol, tuple(
        f"{name} names no protocol; its validation cases are those of {protocol.name}." for name in silent
    )


def told(protocol: Protocol) -> str:
    """The name, with the digests of the folds, which tell apart protocols of the same name."""
    return f"{protocol.name} (folds {' '.join(protocol.folds)})"


def folds_of(folders: Sequence[Path]) -> tuple[int, ...]:
    """The folds of the protocol that a model folder names, or nnU-Net's five."""
    protocols = [protocol_in(read_dataset_json(folder)) for folder in folders]
    return next((tuple(range(len(found.folds))) for found in protocols if found and found.folds), NNUNET_FOLDS)


def require_protocol_folds(protocol: Protocol, table: pd.DataFrame) -> None:
    """ValueError where a fold was validated on other cases than the protocol has; one without folds allows any."""
    for fold, part in table.groupby("fold"):
        number, count = int(str(fold)), len(protocol.folds)
        cases = part["case"].unique()
        if count == 0 or (number < count and fold_digest(cases) == protocol.folds[number]):
            continue
        row = part["row"].iloc[0]
        why = (
            f"the protocol has only {count} fold{'s' if count > 1 else ''}, and nnU-Net splits at random for others: "
            f"leave fold {number} out with -f"
            if number >= count
            else "splits_final.json was missing or changed when it was trained: copy it from the data set's folder in "
            "nnUNet_raw to that in nnUNet_preprocessed, and train and validate this fold again"
        )
        raise ValueError(
            f"fold {number} of {row} was validated on {len(cases)} cases that are not those of {protocol.name}; {why}"
        )


def require_one_protocol_for_the_same_data(protocols: Mapping[str, Protocol | None]) -> None:
    """ValueError where two data sets of a report hold the same cases under different protocols.

    protocols: by data set.
    """
    seen: dict[str, tuple[str, Protocol]] = {}
    for dataset, protocol in protocols.items():
        if protocol is None:
            continue
        other, before = seen.setdefault(protocol.data, (dataset, protocol))
        if before.name != protocol.name:
            raise ValueError(
                f"{other} follows {before.name} and {dataset} follows {protocol.name}, two protocols on the cases of "
                f"{protocol.data}: their numbers do not belong in one table. Make a report of each"
            )
