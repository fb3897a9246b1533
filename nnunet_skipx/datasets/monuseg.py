"""MoNuSeg 2018, nuclei in histology: 30 pictures for training, 14 to be evaluated; outlines become masks."""

import functools
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from scipy.ndimage import binary_erosion, binary_fill_holes
from skimage.draw import polygon

from nnunet_skipx.datasets.pictures import write_picture
from nnunet_skipx.datasets.recipe import RGB, Case, Options, Recipe, split_by_prefix
from nnunet_skipx.datasets.source import files_by_key, find_folder, require_count, require_folder, require_keys, search

TRAINING, TEST = 30, 14
PICTURE, OUTLINES = r"(.+)\.tiff?", r"(.+)\.xml"
LAYOUT = "MoNuSeg 2018 Training Data with Tissue Images and Annotations, beside it MoNuSegTestData"
LABELS = {
    "binary": {"background": 0, "nucleus": 1},
    "boundary": {"background": 0, "nucleus": 1, "boundary": 2},
}
NAMES = {"binary": "MoNuSeg", "boundary": "MoNuSegBoundary"}
PROTOCOLS = {"binary": "MoNuSeg 30/14", "boundary": "MoNuSeg 30/14 with boundary class"}
FARTHEST = 1e6  # pixels, of a point from the corner
BARCODE = 12  # characters of TCGA-18-5592, the patient, in TCGA-18-5592-01Z-00-DX1
ABOUT = {"reference": "https://doi.org/10.1109/TMI.2019.2947628", "licence": "CC BY-NC-SA 4.0"}


def read(source: Path, options: Options) -> Recipe:
    """The recipe of both archives, unpacked into one folder; raises FileNotFoundError and ValueError."""
    masks = options.masks or "binary"
    if masks not in LABELS:
        raise ValueError(f"--masks {masks} does not exist, expected {' or '.join(LABELS)}")
    write = functools.partial(write_picture, mask=MASKS[masks])
    pairs = {part: find(source, options.allow_missing) for part, find in ARCHIVES.items()}
    for part, expected in (("train", TRAINING), ("test", TEST)):
        what = f"{part} pictures with outlines ({LAYOUT})"
        require_count(len(pairs[part]), expected, source, what, options.allow_missing)
    cases = [
        Case(f"{part}_{picture.stem}", "Tr", (picture,), (outlines,), write, patient=picture.stem[:BARCODE])
        for part, both in pairs.items()
        for picture, outlines in both
    ]
    return Recipe(
        name=NAMES[masks],
        protocol=PROTOCOLS[masks],
        data="MoNuSeg",
        source=source,
        channel_names=RGB,
        labels=LABELS[masks],
        file_ending=".png",
        cases=cases,
        expected=TRAINING + TEST,
        splits=split_by_prefix(cases, "train"),
        about=ABOUT,
    )


def training_pairs(source: Path, allow_missing: bool) -> list[tuple[Path, Path]]:
    """Pictures and outlines of the training archive."""
    pictures = find_folder(source, "Tissue Images")
    return paired(pictures, require_folder(pictures.parent, "Annotations"), allow_missing) if pictures else []


def test_pairs(source: Path, allow_missing: bool) -> list[tuple[Path, Path]]:
    """Pictures and outlines of the test archive, where they lie side by side."""
    folder = search(source, lambda folder: files_by_key(folder, PICTURE).keys() & files_by_key(folder, OUTLINES).keys())
    return paired(folder, folder, allow_missing) if folder else []


ARCHIVES = {"train": training_pairs, "test": test_pairs}


def paired(pictures_folder: Path, outlines_folder: Path, allow_missing: bool) -> list[tuple[Path, Path]]:
    """Each picture with its outlines; FileNotFoundError where one has none, unless such ones may be left out."""
    pictures, outlines = files_by_key(pictures_folder, PICTURE), files_by_key(outlines_folder, OUTLINES)
    stems = {key: path.stem for key, path in (*pictures.items(), *outlines.items())}
    for found, folder, ending in ((outlines, outlines_folder, "xml"), (pictures, pictures_folder, "tif")):
        require_keys([stems[key] for key in found], stems.values(), folder, f"{{}}.{ending}", allow_missing)
    return [(pictures[key], outlines[key]) for key in sorted(pictures.keys() & outlines.keys())]


def binary(path: Path, size: tuple[int, int]) -> np.ndarray:
    """1 inside any outline."""
    mask = np.zeros(size, dtype=np.uint8)
    for rows, columns in regions(path):
        top, left, inside = filled(rows, columns, size)
        mask[top : top + inside.shape[0], left : left + inside.shape[1]][inside] = 1
    return mask


def with_boundary(path: Path, size: tuple[int, int]) -> np.ndarray:
    """2 on the outermost pixels of each nucleus, 1 inside; both together are `binary`."""
    mask = np.zeros(size, dtype=np.uint8)
    for rows, columns in regions(path):
        top, left, inside = filled(rows, columns, size)
        part = mask[top : top + inside.shape[0], left : left + inside.shape[1]]
        edge = inside & ~binary_erosion(np.pad(inside, 1))[1:-1, 1:-1]
        part[inside] = np.where(edge[inside], 2, np.maximum(part[inside], 1))
    return mask


MASKS = {"binary": binary, "boundary": with_boundary}


def regions(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows (Y) and columns (X) of every outline of three points or more; ValueError for another kind of file."""
    try:
        root = ElementTree.parse(path).getroot()
        outlines = [
            [(float(v.attrib["Y"]), float(v.attrib["X"])) for v in r.iter("Vertex")] for r in root.iter("Region")
        ]
    except (ElementTree.ParseError, KeyError, ValueError, LookupError) as error:
        raise ValueError(f"{path} is no complete XML file of outlines ({error}): restore it") from error
    if not outlines:
        raise ValueError(f"{path} has no Region, expected outlines as Region/Vertices/Vertex: restore it")
    for number, points in enumerate(map(np.array, outlines), start=1):
        if len(points) > 2:
            if not (np.abs(points) <= FARTHEST).all():
                wrong = points[~(np.abs(points) <= FARTHEST)][0]
                raise ValueError(
                    f"{path} has the coordinate {wrong:g} in its Region {number}, expected pixels: restore it"
                )
            yield points[:, 0], points[:, 1]


def filled(rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    """What an outline encloses within the picture: top, left, and a mask from there.

    An outline that crosses itself leaves holes by the even-odd rule that `polygon` follows; an annotator means none.
    """
    low = np.clip(np.floor([rows.min(), columns.min()]).astype(int), 0, size)
    high = np.clip(np.ceil([rows.max(), columns.max()]).astype(int) + 1, low, size)
    inside = np.zeros(high - low, dtype=bool)
    inside[polygon(rows - low[0], columns - low[1], inside.shape)] = True
    return int(low[0]), int(low[1]), binary_fill_holes(inside)
