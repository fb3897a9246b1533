"""Bad pictures and masks, to the converters of photographs and to `data check`."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bad_inputs.ending import assert_found, assert_refused, ending
from tests.bad_inputs.nifti_files import Spoil, content
from tests.datasets.check.data import use_folders
from tests.datasets.sources import SQUARE, outlines

SIZE = (40, 52)
Place = tuple[list[object], Path, Path | None]  # a command, and the picture and the mask that it reads first


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*SIZE, 3)).astype(np.uint8)).save(path)
    return path


def mask(path: Path, foreground: int = 255) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(SIZE, np.uint8)
    pixels[5:20, 5:20] = foreground
    Image.fromarray(pixels).save(path)
    return path


def glas(folder: Path) -> Place:
    return ["convert", "glas", folder], picture(folder / "train_1.bmp"), mask(folder / "train_1_anno.bmp", 1)


def isic(folder: Path) -> Place:
    for part in ("Training", "Test"):
        first = picture(folder / f"ISBI2016_ISIC_Part1_{part}_Data" / "ISIC_0000001.jpg")
        second = mask(folder / f"ISBI2016_ISIC_Part1_{part}_GroundTruth" / "ISIC_0000001_Segmentation.png")
    return ["convert", "isic", folder], first, second


def monuseg(folder: Path) -> Place:
    (folder / "Annotations").mkdir(parents=True)
    (folder / "MoNuSegTestData").mkdir()
    for place, annotations in (("Tissue Images", "Annotations"), ("MoNuSegTestData", "MoNuSegTestData")):
        path = picture(folder / place / "TCGA-00-0000.tif")
        (folder / annotations / "TCGA-00-0000.xml").write_text(outlines(SQUARE))
    return ["convert", "monuseg", folder], path, None


def check(folder: Path) -> Place:
    raw = folder / "nnUNet_raw" / "Dataset007_Made"
    images = [picture(raw / "imagesTr" / f"{case}_0000.png", seed) for seed, case in enumerate(("one", "two"))]
    labels = [mask(raw / "labelsTr" / f"{case}.png", 1) for case in ("one", "two")]
    description = {
        "channel_names": dict.fromkeys("012", "rgb_to_0_1"),
        "labels": {"background": 0, "a": 1},
        "numTraining": 2,
        "file_ending": ".png",
    }
    (raw / "dataset.json").write_text(json.dumps(description))
    return ["data", "check", "-o", folder / "page.html"], images[0], labels[0]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG whose header tells of so many pixels, whatever follows."""
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def bmp_of(width: int, height: int) -> bytes:
    """A BMP of so many pixels of 8 bits, and none of them."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024, 0, 0, 54 + 1024) + head + bytes(1024)


def tiff_of(width: int, height: int) -> bytes:
    """A TIFF of so many pixels."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: width * height % 2**32}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def as_kind(kind: str) -> Spoil:
    """The same picture in another mode or file format, whatever its name says."""

    def spoil(path: Path) -> None:
        array = np.asarray(Image.open(path).convert("L"))
        file = io.BytesIO()
        if kind == "float":
            Image.fromarray(array.astype(np.float32)).save(file, format="TIFF")
        elif kind == "16 bit":
            Image.fromarray(array.astype(np.uint16) * 200).save(file, format="PNG")
        else:
            Image.fromarray(array).save(file, format=kind)
        path.write_bytes(file.getvalue())

    return spoil


PICTURES: dict[str, Spoil] = {
    "nothing": content(lambda _: b""),
    "a web page": content(lambda _: b"<html>not found</html>"),
    "half of it": content(lambda whole: whole[: len(whole) // 2]),
    "a bomb (PNG)": content(lambda _: png_of(60_000, 60_000)),
    "half a bomb (PNG)": content(lambda _: png_of(12_000, 12_000)),
    "a bomb (BMP)": content(lambda _: bmp_of(60_000, 60_000)),
    "a bomb (TIFF)": content(lambda _: tiff_of(60_000, 60_000)),
    "no pixels": content(lambda _: png_of(0, 0)),
    "too few rows": content(lambda _: png_of(20, 20, bytes(50))),
    "a program (EPS)": content(
        lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch x) (w) file\n"
    ),
}
COLOURS: dict[str, Spoil] = {  # which converters refuse, and nnU-Net rescales or refuses
    "fractions": as_kind("float"),
    "16 bit": as_kind("16 bit"),
    "a GIF": as_kind("GIF"),
}


def other_size(path: Path) -> None:
    Image.new("L", (9, 9)).save(path)


MASKS: dict[str, Spoil] = {
    **{name: PICTURES[name] for name in ("nothing", "half of it", "a bomb (PNG)", "a bomb (BMP)", "a program (EPS)")},
    "another size": other_size,
}
CONVERTERS = {"glas": glas, "isic": isic, "monuseg": monuseg}
COMMANDS = {**CONVERTERS, "data check": check}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Good data for the command that a test is given."""
    use_folders(tmp_path, monkeypatch)
    make: Callable[[Path], Place] = COMMANDS[request.param]
    command, image, label = make(tmp_path / "source" if request.param in CONVERTERS else tmp_path)
    more = ["--allow-missing"] if request.param in CONVERTERS else []
    return [*command, "-d", "7", "-np", "1", *more], image, label


def ends_well(command: list[object], path: Path, spoil: Spoil) -> None:
    spoil(path)
    end = ending(*command)
    if command[0] == "convert":
        assert_refused(end, path.name)
    else:
        assert_found(end, path.name)


@pytest.mark.parametrize("place", COMMANDS, indirect=True)
def test_good_ones_are_taken(place: Place) -> None:
    assert ending(*place[0]).status == 0


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("place", COMMANDS, indirect=True)
def test_pictures(place: Place, name: str) -> None:
    ends_well(place[0], place[1], PICTURES[name])


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("place", CONVERTERS, indirect=True)
def test_pictures_of_another_kind(place: Place, name: str) -> None:
    ends_well(place[0], place[1], COLOURS[name])


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("place", ["glas", "isic", "data check"], indirect=True)
def test_masks(place: Place, name: str) -> None:
    assert place[2] is not None
    ends_well(place[0], place[2], MASKS[name])


@pytest.mark.parametrize("place", ["isic"], indirect=True)
def test_a_mask_of_greys(place: Place) -> None:
    assert place[2] is not None
    ends_well(place[0], place[2], lambda path: picture(path))


@pytest.mark.parametrize("place", ["monuseg"], indirect=True)
def test_further_pictures_of_a_file_are_told(place: Place) -> None:
    pages = [Image.new("RGB", SIZE[::-1], colour) for colour in ("red", "blue")]
    pages[0].save(place[1], save_all=True, append_images=pages[1:])
    assert "the first of its 2 pictures was taken" in ending(*place[0]).out
