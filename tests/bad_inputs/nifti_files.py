"""NIfTI files that are none, lie, or hold what is no image: name -> what makes one of a good one."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK

Spoil = Callable[[Path], object]
NAN, INFINITY = float("nan"), float("inf")
EYE = np.eye(4)
SFORM = 280  # its place in the header


def header(offset: int, kind: str, *values: float) -> Spoil:
    """Other bytes at a place of the header."""

    def spoil(path: Path) -> None:
        content = bytearray(gzip.decompress(path.read_bytes()))
        struct.pack_into(f"<{kind}", content, offset, *values)
        path.write_bytes(gzip.compress(bytes(content)))

    return spoil


def voxels(change: Callable[[np.ndarray], np.ndarray], affine: np.ndarray | None = None) -> Spoil:
    """Other voxels, on the same grid unless told otherwise."""

    def spoil(path: Path) -> None:
        image = nibabel.load(path)
        changed = change(np.array(image.dataobj))
        nibabel.Nifti1Image(changed, image.affine if affine is None else affine, dtype=changed.dtype).to_filename(path)

    return spoil


def first(value: float, kind: str = "f4") -> Spoil:
    """One voxel of another value."""

    def change(array: np.ndarray) -> np.ndarray:
        array = array.astype(kind)
        array.flat[0] = value
        return array

    return voxels(change)


def content(change: Callable[[bytes], bytes]) -> Spoil:
    """Other bytes in the file, as compressed as they are."""
    return lambda path: path.write_bytes(change(path.read_bytes()))


def unpacked(change: Callable[[bytes], bytes]) -> Spoil:
    """Other bytes once it is uncompressed."""
    return content(lambda packed: gzip.compress(change(gzip.decompress(packed))))


def vectors(path: Path) -> None:
    """(channel, z, y, x) written by SimpleITK, whose last axis becomes the components of vectors."""
    size = np.array(nibabel.load(path).dataobj).shape[::-1]
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.random.rand(2, *size).astype(np.float32)), str(path))


def colours(path: Path) -> None:
    """Three bytes a voxel."""
    size = np.array(nibabel.load(path).dataobj).shape
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.Nifti1Image(np.zeros(size, kind), EYE).to_filename(path)


def coded(offset: int, kind: str, *values: float) -> Spoil:
    """In the header's sform or qform, the only one that is said to be there."""

    def spoil(path: Path) -> None:
        is_sform = offset >= SFORM
        header(252, "2h", not is_sform, is_sform)(path)
        header(offset, kind, *values)(path)

    return spoil


FILES: dict[str, Spoil] = {
    "nothing": content(lambda _: b""),
    "a web page": content(lambda _: b"<html>not found</html>"),
    "half of it": content(lambda packed: packed[: len(packed) // 2]),
    "all but its end": content(lambda packed: packed[:-6]),
    "a flipped byte": content(lambda packed: packed[:60] + bytes([packed[60] ^ 255]) + packed[61:]),
    "something behind it": content(lambda packed: packed + b"more"),
    "a gzip of something else": unpacked(lambda _: b"x" * 1000),
    "a header alone": unpacked(lambda whole: whole[:352]),
    "half a header": unpacked(lambda whole: whole[:100]),
    "a bomb behind its voxels": unpacked(lambda whole: whole + bytes(1 << 25)),
    "no volume's magic": header(344, "4s", b"abcd"),
    "voxels in another file": header(344, "4s", b"ni1\0"),
    "32767 voxels along each axis": header(42, "3h", 32767, 32767, 32767),
    "seven axes of 32767": header(40, "8h", 7, *[32767] * 7),
    "a negative size": header(42, "h", -5),
    "an axis of nothing": header(42, "h", 0),
    "no axes": header(40, "h", 0),
    "nine axes": header(40, "h", 9),
    "an unknown type": header(70, "h", 9999),
    "no type": header(70, "h", 0),
    "voxels at NaN": header(108, "f", NAN),
    "voxels at 1e30": header(108, "f", 1e30),
    "voxels ahead of the file": header(108, "f", -352),
    "an intercept of NaN": header(112, "2f", 1, NAN),
    "NaN in the sform": coded(SFORM, "f", NAN),
    "infinity in the sform": coded(SFORM, "f", INFINITY),
    "an sform of zeros": coded(SFORM, "12f", *[0] * 12),
    "a sheared sform": coded(SFORM, "2f", 1, 0.5),
    "NaN in the qform": coded(268, "f", NAN),
    "a picture": voxels(lambda array: array[:, :, 0]),
    "vectors": vectors,
    "colours": colours,
    "complex numbers": voxels(lambda array: array.astype("c8")),
}
IMAGES: dict[str, Spoil] = {
    **FILES,
    "NaN": first(NAN),
    "infinity": first(INFINITY),
    "1e300": first(1e300, "f8"),
    "a slope of 1e38": header(112, "2f", 3e38, 0),
}
LABELS: dict[str, Spoil] = {
    **{name: FILES[name] for name in ("nothing", "half of it", "32767 voxels along each axis", "vectors", "colours")},
    "NaN": first(NAN),
    "infinity": first(INFINITY),
    "minus infinity": first(-INFINITY),
    "1e300": first(1e300, "f8"),
    "a fraction": first(0.5),
    "a negative number": first(-1, "i2"),
    "a stranger": first(99),
    "2 to the 40": first(2**40, "f8"),
    "an image": voxels(lambda array: np.random.default_rng(0).normal(size=array.shape).astype("f4")),
    "a thousand values": voxels(lambda array: np.arange(array.size, dtype="i4").reshape(array.shape)),
    "fewer slices": voxels(lambda array: array[:, :, 1:]),
}
