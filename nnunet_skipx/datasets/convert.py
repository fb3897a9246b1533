"""`skipx convert`: a recipe becomes an nnU-Net data set, checked by nnU-Net itself, with its folds and its origin."""

import functools
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunet_skipx import __version__
from nnunet_skipx.datasets.destination import SPLITS_FILE, destination, publish, staged
from nnunet_skipx.datasets.parallel import in_parallel
from nnunet_skipx.datasets.protocol import KEY, Protocol, fold_digest
from nnunet_skipx.datasets.recipe import Case, Options, Recipe, Record
from nnunet_skipx.nnunet.json_files import read_dataset_json, read_provenance
from nnunet_skipx.system.files import sha256_of, write_json
from nnunet_skipx.system.json_files import read_json, record

PROVENANCE_FILE = "provenance.json"


@dataclass(frozen=True)
class Converted:
    """What `convert` made. notes: what a user should know."""

    folder: Path
    protocol: Protocol
    notes: Sequence[str]


def convert(
    recipe: Recipe, number: int, options: Options | None = None, overwrite: bool = False, processes: int = 1
) -> Converted:
    """Write a data set to nnUNet_raw and its folds to nnUNet_preprocessed; it appears whole or not at all.

    Raises ValueError when the id is taken or a source file does not fit (names the file), OSError when writing fails,
    RuntimeError when nnU-Net's integrity check fails.
    """
    place = destination(recipe.name, number, overwrite)

    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity  # torch: not for workers

    with staged(place) as folder:
        require_space(recipe, folder)
        records = write_cases(recipe, folder, processes)
        if recipe.finish:
            recipe.finish(folder, number, records, processes)
        protocol = Protocol(
            recipe.protocol_name, recipe.data, tuple(fold_digest(fold["val"]) for fold in recipe.splits), recipe.notes
        )
        notes = (*recipe.notes, *(note for record in records for note in record.written.notes))
        describe(recipe, protocol, folder)
        write_json(folder / PROVENANCE_FILE, provenance_of(recipe, records, options or Options(), notes))
        if recipe.splits:
            write_json(folder / SPLITS_FILE, recipe.splits)
        verify_dataset_integrity(str(folder), processes)
        publish(folder, place, recipe.splits)
    return Converted(place.raw, protocol, notes)


def write_cases(recipe: Recipe, folder: Path, processes: int) -> list[Record]:
    """Every case by its own function, in `processes` processes."""
    for case in recipe.cases:
        for kind in ("images", "labels") if case.label else ("images",):
            (folder / f"{kind}{case.part}").mkdir(exist_ok=True)
    write = functools.partial(write_case, folder=folder, ending=recipe.file_ending)
    return in_parallel(write, recipe.cases, processes, f"Converting {recipe.name}")


def write_case(case: Case, folder: Path, ending: str) -> Record:
    """One case, in a worker."""
    image_target = folder / f"images{case.part}" / f"{case.name}_0000{ending}"
    written = case.write(case, image_target, folder / f"labels{case.part}" / f"{case.name}{ending}")
    return Record(case.name, written, {path: sha256_of(path) for path in case.sources})


def describe(recipe: Recipe, protocol: Protocol, folder: Path) -> None:
    """dataset.json, with the protocol; keys that nnU-Net's converter wrote stay."""
    path = folder / "dataset.json"
    content: dict[str, Any] = read_json(path, record({})) if path.is_file() else {}
    content |= {
        "name": recipe.name,
        **recipe.about,
        "channel_names": dict(recipe.channel_names),
        "labels": dict(recipe.labels),
        "numTraining": len(recipe.training),
        "file_ending": recipe.file_ending,
        KEY: protocol.as_json(),
    }
    write_json(path, content)


def provenance_of(recipe: Recipe, records: Sequence[Record], options: Options, notes: Sequence[str]) -> dict[str, Any]:
    """Where the data come from: every source file with its SHA-256, options, counts and the version of this package."""
    files = {path: digest for record in records for path, digest in record.sources.items()}
    files |= {path: sha256_of(path) for path in recipe.also_read}
    return {
        "source": os.path.abspath(recipe.source),
        "files": relative_to(recipe.source, files),
        "options": {key: value for key, value in vars(options).items() if value},
        "counts": {part: sum(case.part == part for case in recipe.cases) for part in ("Tr", "Ts")},
        "patients": {case.name: case.patient for case in recipe.cases if case.patient},
        "notes": list(notes),
        "version": f"nnunet_skipx {__version__}",
    }


def is_converted(recipe: Recipe, folder: Path) -> bool:
    """Whether a data set's folder holds exactly this: the same source files, labels and channels, and every case."""
    if not ((folder / PROVENANCE_FILE).is_file() and (folder / "dataset.json").is_file()):
        return False
    description = read_dataset_json(folder / "dataset.json")
    if (description["channel_names"], description["labels"]) != (dict(recipe.channel_names), dict(recipe.labels)):
        return False
    channels = len(recipe.channel_names) if recipe.file_ending == ".nii.gz" else 1
    written = [f"labels{case.part}/{case.name}{recipe.file_ending}" for case in recipe.cases if case.label]
    written += [
        f"images{case.part}/{case.name}_{channel:04d}{recipe.file_ending}"
        for case in recipe.cases
        for channel in range(channels)
    ]
    if not all((folder / name).is_file() for name in written):
        return False
    files = read_provenance(folder / PROVENANCE_FILE).get("files")
    sources = [*recipe.also_read, *(path for case in recipe.cases for path in case.sources)]
    return files == relative_to(recipe.source, {path: sha256_of(path) for path in sources})


def relative_to(source: Path, files: Mapping[Path, str]) -> dict[str, str]:
    """The digests by their path in the source."""
    return {os.path.relpath(path, source): digest for path, digest in sorted(files.items())}


def require_space(recipe: Recipe, folder: Path) -> None:
    """OSError where the sources alone would not fit: better said at once than after an hour."""
    needed = sum(path.stat().st_size for case in recipe.cases for path in case.sources)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free")
