"""What computers and other tools leave beside images: counted, and told only where nnU-Net takes it for a case."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote

from nnunet_skipx.datasets.check.words import Finding, problem, relative

LEFT_BY_SYSTEMS = (".ds_store", "thumbs.db", "desktop.ini")
RESOURCE_FORK = "._"  # begins the file that macOS leaves beside another on foreign disks
DESCRIPTION = ".json"  # of an image, as converters from DICOM write it
WITH_SPACINGS = (".tif", ".tiff")  # which nnU-Net reads in such a description
FOLDERS = ("imagesTr", "imagesTs", "labelsTr", "labelsTs")


def is_junk(path: Path) -> bool:
    """Whether a file is no image whatever its ending.

    >>> [is_junk(Path(name)) for name in ("Thumbs.db", "._a_0000.nii.gz", "a_0000.json", "a_0000.nii.gz")]
    [True, True, True, False]
    """
    name = path.name.casefold()
    return name in LEFT_BY_SYSTEMS or name.startswith(RESOURCE_FORK) or name.endswith(DESCRIPTION)


def junk_in(folder: Path) -> dict[str, list[Path]]:
    """By folder of the data set what lies there and is no image, sorted."""
    places = {name: folder / name for name in FOLDERS}
    return {
        name: sorted(path for path in place.iterdir() if is_junk(path)) if place.is_dir() else []
        for name, place in places.items()
    }


def taken_for_cases(folder: Path, ending: str, junk: Mapping[str, list[Path]]) -> Iterator[Finding]:
    """Of each folder of images the files that nnU-Net reads because their names end like images'."""
    for name, paths in junk.items():
        taken = [path for path in paths if path.name.endswith(ending)]
        if name.startswith("images") and taken:
            files = f"{relative(taken[0], folder)}{f' and {len(taken) - 1} more' if len(taken) > 1 else ''}"
            text = f"{files}, left by macOS, would be taken for cases by nnU-Net"
            yield problem(
                "Files", f"{text}: remove them, find {quote(str(folder / name))} -name '{RESOURCE_FORK}*' -delete"
            )


def junk_note(folder: Path, ending: str) -> list[str]:
    """A sentence on how many files were passed over, and which; none where there are none."""
    read = f"*{DESCRIPTION}" if ending in WITH_SPACINGS else ""
    paths = [path for found in junk_in(folder).values() for path in found if kind_of(path) != read]
    if not paths:
        return []
    examples = ", ".join(dict.fromkeys(map(kind_of, paths)))
    return [f"{len(paths)} file{'s' if len(paths) > 1 else ''} beside images and labels passed over ({examples})."]


def kind_of(path: Path) -> str:
    """Its name, or what stands for its kind."""
    if path.name.startswith(RESOURCE_FORK):
        return f"{RESOURCE_FORK}*"
    return f"*{DESCRIPTION}" if path.name.casefold().endswith(DESCRIPTION) else path.name
