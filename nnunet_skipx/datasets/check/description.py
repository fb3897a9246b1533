"""What a data set in nnUNet_raw says of itself in dataset.json, as nnU-Net understands it."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from nnunet_skipx.datasets.check.files import listed_cases
from nnunet_skipx.datasets.check.records import CaseFiles, Labels, RawDataset
from nnunet_skipx.datasets.check.words import Finding, problem
from nnunet_skipx.nnunet.json_files import read_dataset_json

TRIED = 5  # images that choose the reader where several fit, as the first may be broken


def read_dataset(folder: Path) -> tuple[RawDataset, list[Finding]]:
    """The data set, and what its files alone tell; FileNotFoundError or ValueError when nothing can be checked."""
    path = folder / "dataset.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: nnU-Net cannot use the data set without it")
    description = read_dataset_json(path, "correct it")
    channels = description.get("channel_names", description.get("modality"))
    if channels is None:
        raise ValueError(f"{path} has no channel_names, expected the name of each channel: add them")
    labels = labels_of(description, path)
    cases, findings = listed_cases(folder, description)
    if not cases:
        image = f"CASE_0000{description['file_ending']}"
        raise FileNotFoundError(f'{folder}/imagesTr holds no image {image}: correct "file_ending" in {path}, or add it')
    reader = reader_of(description, cases)
    names = tuple(map(str, channels.values()))
    dataset = RawDataset(folder, description, names, description["file_ending"], labels, reader, tuple(cases))
    return dataset, [*description_findings(dataset), *findings]


def labels_of(description: Mapping[str, Any], path: Path) -> Labels:
    """As nnU-Net understands them; ValueError where it refuses them."""
    named = description["labels"]
    try:
        manager = LabelManager(named, description.get("regions_class_order"))
        regions = {name: tuple(map(int, ids if isinstance(ids, list) else [ids])) for name, ids in named.items()}
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise ValueError(f'{path} has "labels" that nnU-Net refuses ({error}): correct them') from error
    foreground = {name: ids for name, ids in regions.items() if set(ids) != {0} and name != "ignore"}
    return Labels(foreground, tuple(int(i) for i in manager.all_labels), manager.ignore_label)


def reader_of(description: dict[str, Any], cases: Sequence[CaseFiles]) -> type[Any]:
    """The class that nnU-Net reads this data set with; ValueError when it has none for the file ending."""
    examples = [str(case.images[0]) for case in cases if case.images][:TRIED]
    for example in [*examples, None]:
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # it prints tracebacks
                reader: type[Any] = determine_reader_writer_from_dataset_json(description, example, verbose=False)
                return reader
        except (RuntimeError, ValueError, OSError, MemoryError):
            continue  # a broken image; without an example nnU-Net goes by the file ending
    raise ValueError(f'nnU-Net has no reader for "file_ending": "{description["file_ending"]}": correct dataset.json')


def description_findings(dataset: RawDataset) -> Iterator[Finding]:
    """What in dataset.json does not fit the files, or nnU-Net."""
    said, there = dataset.description.get("numTraining"), len(dataset.training)
    if said != there:
        text = f'dataset.json says "numTraining": {said}, but there are {there} training cases'
        yield problem("Files", f"{text}: restore the missing ones, or correct the number")
    known = dataset.labels.known
    if known != list(range(len(known))):
        text = f"dataset.json has the label ids {known}, expected 0, 1, 2, ... without gaps, as nnU-Net needs them"
        yield problem("Labels", f"{text}: renumber them there and in the label files")
