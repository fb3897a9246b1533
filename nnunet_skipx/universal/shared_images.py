"""Images that several domains hold: none may be trained on in one domain and validated in another."""

import hashlib
import math
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import SimpleITK
from nnunetv2.paths import nnUNet_preprocessed, nnUNet_raw
from nnunetv2.utilities.crossval_split import generate_crossval_split

from nnunet_skipx.nnunet.folds import ALL, Fold
from nnunet_skipx.nnunet.images import Grid, read_grid
from nnunet_skipx.nnunet.json_files import read_splits

Case = tuple[str, str]  # data set, case
Splits = list[dict[str, list[str]]]
FOLDS = 5  # of nnU-Net's own splits
MOST_NAMED = 3
NEAR = 0.01  # of spacings, which file formats round


@dataclass(frozen=True)
class _Image:
    """The file of one channel of a case; grid: None where SimpleITK cannot read it."""

    owner: Case
    path: Path
    grid: Grid | None

    def may_be(self, other: "_Image") -> bool:
        """Whether the other, of another data set and equal size, may hold the same voxels."""
        if self.owner[0] == other.owner[0] or self.grid is None or other.grid is None:
            return False
        pairs = zip(self.grid.spacing, other.grid.spacing, strict=True)
        return all(math.isclose(one, another, rel_tol=NEAR) for one, another in pairs)


def shared_images(descriptions: Mapping[str, Mapping[str, Any]]) -> tuple[list[list[Case]], list[str]]:
    """Groups of cases of several data sets that hold the same image, and the data sets that have no images to compare.

    descriptions: dataset.json by data set. Images lie in nnUNet_raw; two are the same whose voxels are, of any channel.
    Only those are read whose size and, nearly, spacing an image of another data set has.
    """
    by_size: dict[tuple[int, ...], list[_Image]] = defaultdict(list)
    unseen = []
    for dataset, description in descriptions.items():
        images = [_Image((dataset, case), path, read_grid(path)) for case, path in _image_files(dataset, description)]
        for image in images:
            by_size[image.grid.size if image.grid else ()].append(image)
        if not images or any(image.grid is None for image in images):
            unseen.append(dataset)
    by_voxels: dict[str, set[Case]] = defaultdict(set)
    for alike in by_size.values():
        for image in alike:
            if any(image.may_be(other) for other in alike):
                by_voxels[_digest(image.path)].add(image.owner)
    groups = {tuple(sorted(owners)) for digest, owners in by_voxels.items() if digest and len(_datasets(owners)) > 1}
    return [list(group) for group in sorted(groups)], unseen


def require_no_leak(
    groups: Sequence[Sequence[Case]], splits: Mapping[str, Splits], validated: Collection[str], fold: int | None = None
) -> None:
    """ValueError where a case that one domain validates holds an image that another trains on, in the same fold.

    groups: of `shared_images`. splits: by data set. validated: data sets whose validation counts. fold: None for all.
    """
    found = [
        f"fold {number}: {_named(one)} is validated, {_named(other)} trained on"
        for group in groups
        for one in group
        for other in group
        if one[0] != other[0] and one[0] in validated and {one[0], other[0]} <= splits.keys()
        for number in _folds(splits, one, other, fold)
        if one[1] in splits[one[0]][number]["val"] and other[1] in splits[other[0]][number]["train"]
    ]
    if found:
        more = f", and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise ValueError(
            "the domains share images, which would be trained on in one and validated in another: "
            f"{'; '.join(found[:MOST_NAMED])}{more}. The weights that the domains share would have seen them. Write "
            f"splits_final.json of one of these data sets in {nnUNet_preprocessed} so that such cases are validated in "
            "the same folds in both, before anything is trained on it, or leave one data set out"
        )


def require_unseen(
    dataset: str,
    description: Mapping[str, Any],
    cases: Sequence[str],
    domains: Mapping[str, Mapping[str, Any]],
    fold: Fold,
) -> None:
    """ValueError where a run trained on an image that this fold of a new domain validates.

    dataset, description, cases: the new domain, its dataset.json and its preprocessed cases. domains: those of the
    run's checkpoint. What the new domain trains on is no matter: the run's weights stay as they are.
    """
    if fold == ALL:
        return
    old = {name: content["dataset_json"] for name, content in domains.items() if name != dataset}
    shared, _ = shared_images({**old, dataset: description})
    splits = {name: splits_of(name, ()) for name in old} | {dataset: splits_of(dataset, cases)}
    require_no_leak(shared, splits, {dataset}, fold)


def splits_of(dataset: str, cases: Sequence[str]) -> Splits:
    """Those of splits_final.json, or else those that nnU-Net will draw of these cases; none of too few cases."""
    path = Path(str(nnUNet_preprocessed)) / dataset / "splits_final.json"
    if path.is_file():
        return read_splits(path)
    if len(cases) < FOLDS:
        return []
    folds = generate_crossval_split(sorted(cases), seed=12345, n_splits=FOLDS)
    return [{part: [str(case) for case in fold[part]] for part in ("train", "val")} for fold in folds]


def _folds(splits: Mapping[str, Splits], one: Case, other: Case, fold: int | None) -> list[int]:
    both = range(min(len(splits[one[0]]), len(splits[other[0]])))
    return [number for number in both if fold in (None, number)]


def _image_files(dataset: str, description: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """(case, file) of every channel of the training cases, as nnU-Net finds them; nothing without raw data."""
    if not nnUNet_raw.is_set():
        return
    folder = Path(str(nnUNet_raw)) / dataset
    listed = description.get("dataset")
    if listed is not None:
        named = [(case, Path(os.path.expandvars(name))) for case, files in listed.items() for name in files["images"]]
        yield from ((case, folder / path) for case, path in named if (folder / path).is_file())
        return
    of_channel = re.compile(r"(.+)_\d{4}" + re.escape(description["file_ending"]))
    for path in sorted((folder / "imagesTr").glob("*")):
        if match := of_channel.fullmatch(path.name):
            yield match[1], path


def _digest(path: Path) -> str:
    """Of the voxels, whatever the type and compression they are stored with; nothing where they are all the same."""
    image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).astype("float32")
    return hashlib.sha256(image.tobytes()).hexdigest() if image.min() < image.max() else ""


def _datasets(cases: Collection[Case]) -> set[str]:
    return {dataset for dataset, _ in cases}


def _named(case: Case) -> str:
    return f"{case[1]} of {case[0]}"
