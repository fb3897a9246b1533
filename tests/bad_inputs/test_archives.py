"""Bad npz and HDF5 files, to `convert synapse`, and bad archives, to `fetch`."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from monai.apps.datasets import DecathlonDataset

from tests.bad_inputs.ending import assert_refused, ending
from tests.bad_inputs.nifti_files import INFINITY, NAN, Spoil, content
from tests.datasets.check.data import use_folders

PIXELS = (16, 12)
TASK = "Task04_Hippocampus"


def pair(depth: int | None = None) -> dict[str, np.ndarray]:
    """Image and label of a slice, or of so many."""
    size = PIXELS if depth is None else (depth, *PIXELS)
    label = np.zeros(size, np.float32)
    label[..., :4, :3], label[..., 6:, 6:] = 2, 4
    return {"image": np.random.default_rng(0).random(size).astype(np.float32), "label": label}


def npz(**changes: object) -> Spoil:
    """Another array under a key; None for none."""

    def spoil(path: Path) -> None:
        arrays = {key: value for key, value in (pair() | changes).items() if value is not None}
        np.savez_compressed(path, **arrays)

    return spoil


def h5(**changes: object) -> Spoil:
    """Another array under a key; None for none."""

    def spoil(path: Path) -> None:
        with h5py.File(path, "w") as file:
            for key, value in (pair(3) | changes).items():
                if value is not None:
                    file[key] = value

    return spoil


def changed(key: str, value: float, depth: int | None = None) -> dict[str, np.ndarray]:
    array = pair(depth)[key].astype(float)
    array.flat[0] = value
    return {key: array}


def huge_npz(path: Path) -> None:
    """A member whose header tells of a petabyte."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (1 << 24, 1 << 24)})
    with zipfile.ZipFile(path, "w") as archive:
        for key in ("image", "label"):
            archive.writestr(f"{key}.npy", head.getvalue() + bytes(100))


def encrypted(path: Path) -> None:
    """A flag that asks for a password."""
    whole = bytearray(path.read_bytes())
    for place in (whole.index(b"PK\x03\x04") + 6, whole.index(b"PK\x01\x02") + 8):
        whole[place] |= 1
    path.write_bytes(bytes(whole))


def npy_under_its_name(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, pair()["image"])


def pickled(path: Path) -> None:
    np.savez(path, image=np.array([{}], dtype=object), label=pair()["label"])


def huge_h5(path: Path) -> None:
    """A dataset of a petabyte of which nothing was written."""
    with h5py.File(path, "w") as file:
        for key in ("image", "label"):
            file.create_dataset(key, (1 << 16, 1 << 17, 1 << 17), dtype="f4", chunks=(1, 64, 64))


def group(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("image")
        file["label"] = pair(3)["label"]


def elsewhere(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["image"] = h5py.ExternalLink("/etc/passwd", "/")
        file["label"] = pair(3)["label"]


BYTES: dict[str, Spoil] = {
    "nothing": content(lambda _: b""),
    "a web page": content(lambda _: b"<html>not found</html>"),
    "half of it": content(lambda whole: whole[: len(whole) // 2]),
}
NPZ: dict[str, Spoil] = {
    **BYTES,
    "a flipped byte": content(lambda whole: whole[:80] + bytes([whole[80] ^ 255]) + whole[81:]),
    "an npy": npy_under_its_name,
    "a pickle": pickled,
    "a petabyte": huge_npz,
    "a password": encrypted,
    "no label": npz(label=None),
    "another size": npz(label=np.zeros((3, 3))),
    "a volume": npz(image=np.zeros((2, *PIXELS)), label=np.zeros((2, *PIXELS))),
    "a number": npz(image=np.array(3.0), label=np.array(1.0)),
    "no pixels": npz(image=np.zeros((0, 4)), label=np.zeros((0, 4))),
    "text": npz(image=np.full(PIXELS, "x")),
    "complex numbers": npz(image=np.zeros(PIXELS, complex)),
    "NaN": npz(**changed("image", NAN)),
    "1e300": npz(**changed("image", 1e300)),
    "a label of infinity": npz(**changed("label", INFINITY)),
    "a label of NaN": npz(**changed("label", NAN)),
    "a label of 9": npz(**changed("label", 9)),
    "a label of a half": npz(**changed("label", 0.5)),
    "a thousand labels": npz(label=np.arange(192.0).reshape(PIXELS)),
}
HDF5: dict[str, Spoil] = {
    **BYTES,
    "a petabyte": huge_h5,
    "a folder for the image": group,
    "another file's data": elsewhere,
    "no label": h5(label=None),
    "another size": h5(label=np.zeros((3, 3))),
    "a slice": h5(**pair()),
    "no slices": h5(image=np.zeros((0, 4, 4)), label=np.zeros((0, 4, 4))),
    "infinity": h5(**changed("image", INFINITY, 3)),
    "a label of -1": h5(**changed("label", -1, 3)),
}
SOURCES: dict[str, tuple[str, dict[str, Spoil]]] = {
    "npz": ("train_npz/case0005_slice000.npz", NPZ),
    "h5": ("test_vol_h5/case0001.npy.h5", HDF5),
}
COMMAND = ["convert", "synapse", "source", "-d", "7", "-np", "1", "--allow-missing", "--label-map", "transunet"]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training and a test case as TransUNet's authors give them away."""
    use_folders(tmp_path, monkeypatch)
    for folder in ("train_npz", "test_vol_h5"):
        (tmp_path / "source" / folder).mkdir(parents=True)
    np.savez(tmp_path / "source" / SOURCES["npz"][0], **pair())
    h5()(tmp_path / "source" / SOURCES["h5"][0])
    return tmp_path / "source"


def test_good_ones_are_taken(source: Path) -> None:
    assert ending(*COMMAND).status == 0


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, (_, table) in SOURCES.items() for name in table])
def test_synapse(source: Path, kind: str, name: str) -> None:
    path = source / SOURCES[kind][0]
    SOURCES[kind][1][name](path)
    assert_refused(ending(*COMMAND), path.name)


def tar(*members: tuple[str, Callable[[tarfile.TarInfo], object]]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, change in members:
            info = tarfile.TarInfo(name)
            change(info)
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return file.getvalue()


def kind_of(kind: bytes, target: str = "") -> Callable[[tarfile.TarInfo], object]:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = kind, target

    return change


def plain(info: tarfile.TarInfo) -> None:
    info.size = 10


TARS: dict[str, bytes] = {
    "nothing": b"",
    "a web page": b"<html>not found</html>",
    "half of it": tar((f"{TASK}/a", plain))[:700],
    "another folder": tar(("Task05_Prostate/a", plain)),
    "a way out": tar((f"{TASK}/a", plain), ("../out", plain)),
    "an absolute name": tar((f"{TASK}/a", plain), (f"{TASK}/b", kind_of(tarfile.SYMTYPE, "/etc/passwd"))),
    "a device": tar((f"{TASK}/null", kind_of(tarfile.CHRTYPE))),
    "a link out": tar((f"{TASK}/up", kind_of(tarfile.SYMTYPE, "../../..")), (f"{TASK}/up/x", plain)),
}


@pytest.mark.parametrize("name", TARS)
def test_fetch(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that is there and has the right checksum, as it is told to be right."""
    archive = tmp_path / "data" / f"{TASK}.tar"
    archive.parent.mkdir()
    archive.write_bytes(TARS[name])
    monkeypatch.setitem(DecathlonDataset.md5, TASK, hashlib.md5(TARS[name]).hexdigest())
    assert_refused(ending("fetch", "msd", "4", "-o", archive.parent), archive.name)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
