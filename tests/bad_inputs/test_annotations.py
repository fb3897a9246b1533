"""Bad outlines, tables and notes beside pictures and scans."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.bad_inputs.ending import assert_refused, ending
from tests.bad_inputs.test_pictures import glas, monuseg
from tests.datasets.check.data import use_folders
from tests.datasets.sources import SQUARE, outlines

GOOD = outlines(SQUARE)
BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
OUTLINES: dict[str, bytes] = {
    "nothing": b"",
    "no XML": b"x, y\n1, 2\n",
    "half of it": GOOD.encode()[: len(GOOD) // 2],
    "no outline": b"<Annotations/>",
    "no coordinate": GOOD.replace('X="5.0"', "").encode(),
    "a word": GOOD.replace('X="5.0"', 'X="five"').encode(),
    "an empty coordinate": GOOD.replace('X="5.0"', 'X=""').encode(),
    "a comma for a point": GOOD.replace('X="5.0"', 'X="5,0"').encode(),
    "NaN": GOOD.replace('X="5.0"', 'X="nan"').encode(),
    "infinity": GOOD.replace('Y="12.0"', 'Y="inf"').encode(),
    "minus infinity": GOOD.replace('Y="12.0"', 'Y="-inf"').encode(),
    "1e300": GOOD.replace('X="15.0"', 'X="1e300"').encode(),
    "-1e18": GOOD.replace('X="15.0"', 'X="-1e18"').encode(),
    "an unknown encoding": f'<?xml version="1.0" encoding="klingon"?>{GOOD}'.encode(),
    "a control character": GOOD.replace("5.0", "\x01").encode(),
    "a bomb of entities": f'<!DOCTYPE x [<!ENTITY e0 "0000000000">{BOMB}]>{GOOD.replace("5.0", "&e11;")}'.encode(),
    "another file": f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{GOOD.replace("5.0", "&e;")}'.encode(),
}
INFO: dict[str, bytes] = {
    "nothing": b"",
    "no end-systole": b"ED: 1\n",
    "a word": b"ED: one\nES: 12\n",
    "a superscript": "ED: ²\nES: 12\n".encode(),
    "a negative frame": b"ED: -1\nES: 12\n",
    "a frame with five thousand digits": b"ED: " + b"9" * 5000 + b"\nES: 12\n",
    "one frame for both": b"ED: 12\nES: 12\n",
    "another encoding": "ED: 1\nES: 12\n".encode("utf-16"),
    "a compressed file": gzip.compress(b"ED: 1\nES: 12\n"),
}


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_folders(tmp_path, monkeypatch)


def convert(name: str, *more: str) -> list[object]:
    return ["convert", name, "source", "-d", "7", "-np", "1", "--allow-missing", *more]


@pytest.mark.parametrize("masks", ["binary", "boundary"])
@pytest.mark.parametrize("name", OUTLINES)
def test_outlines_of_nuclei(name: str, masks: str) -> None:
    monuseg(Path("source"))
    path = Path("source", "Annotations", "TCGA-00-0000.xml")
    path.write_bytes(OUTLINES[name])
    assert_refused(ending(*convert("monuseg", "--masks", masks)), path)


@pytest.fixture
def info() -> Path:
    """Info.cfg of the only patient."""
    patient = Path("source", "database", "training", "patient001")
    patient.mkdir(parents=True)
    (patient.parents[1] / "testing").mkdir()
    for frame in ("01", "12"):
        for kind, voxels in (("", np.ones((6, 5, 4), np.int16)), ("_gt", np.zeros((6, 5, 4), np.uint8))):
            nibabel.Nifti1Image(voxels, np.eye(4)).to_filename(patient / f"patient001_frame{frame}{kind}.nii.gz")
    (patient / "Info.cfg").write_text("ED: 1\nES: 12\n")
    return patient / "Info.cfg"


def test_good_frames_are_taken(info: Path) -> None:
    assert ending(*convert("acdc")).status == 0


@pytest.mark.parametrize("name", INFO)
def test_frames_of_a_heart(name: str, info: Path) -> None:
    info.write_bytes(INFO[name])
    assert_refused(ending(*convert("acdc")), info)


def test_a_table_of_grades_that_is_none() -> None:
    glas(Path("source"))
    Path("source", "Grade.csv").write_text(f'name, patient\n"{"x" * 200_000}')
    assert_refused(ending(*convert("glas")), "Grade.csv")
