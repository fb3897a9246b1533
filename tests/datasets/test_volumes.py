import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.datasets.recipe import Case, Written
from nnunet_skipx.datasets.volumes import farthest_corner, relabelled, write_volume
from tests.datasets.sources import SIZE, affine, nifti

IDS = {0: 0, 1: 1, 2: 2}


def shifted(millimetres: float) -> np.ndarray:
    moved = affine()
    moved[0, 3] += millimetres
    return moved


def mirrored() -> np.ndarray:
    """The same place in space with the first axis counted from the other end."""
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = SIZE[0] - 1
    return affine() @ flip


def truth() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, size=SIZE).astype(np.uint8)


def scan() -> np.ndarray:
    return np.random.default_rng(1).integers(-1000, 2000, size=SIZE).astype(np.int16)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Written]:
    """Write a case of an image and a label file, saved before."""

    def run(
        image: nibabel.Nifti1Image,
        label: nibabel.Nifti1Image | None = None,
        ids: dict[int, int] | None = None,
        ending: str = ".nii.gz",
    ) -> Written:
        image.to_filename(tmp_path / f"img{ending}")
        labels = ()
        if label is not None:
            label.to_filename(tmp_path / f"label{ending}")
            labels = (tmp_path / f"label{ending}",)
        case = Case("case", "Tr", (tmp_path / f"img{ending}",), labels, write_volume)
        return write_volume(case, tmp_path / "image_out.nii.gz", tmp_path / "label_out.nii.gz", ids or IDS)

    return run


def itk(path: Path) -> SimpleITK.Image:
    return SimpleITK.ReadImage(str(path))


def same_geometry(first: SimpleITK.Image, second: SimpleITK.Image) -> bool:
    return all(
        np.allclose(getattr(first, name)(), getattr(second, name)(), rtol=1e-6, atol=1e-7)
        for name in ("GetSpacing", "GetOrigin", "GetDirection")
    )


class TestGeometry:
    def test_an_image_without_oddities_is_copied_bitwise(self, write: Callable[..., Written], tmp_path: Path) -> None:
        assert write(nifti(scan()), nifti(truth())).notes == ()
        assert (tmp_path / "image_out.nii.gz").read_bytes() == (tmp_path / "img.nii.gz").read_bytes()

    @pytest.mark.parametrize("ending", [".nii.gz", ".nii"])
    def test_voxels_and_geometry_are_what_simpleitk_reads_from_the_source(
        self, write: Callable[..., Written], tmp_path: Path, ending: str
    ) -> None:
        image = nifti(scan())
        image.header.set_slope_inter(2, -5)
        write(image, nifti(truth()), ending=ending)
        before, after = itk(tmp_path / f"img{ending}"), itk(tmp_path / "image_out.nii.gz")
        assert np.array_equal(SimpleITK.GetArrayFromImage(before), SimpleITK.GetArrayFromImage(after))
        assert same_geometry(before, after)
        assert np.array_equal(SimpleITK.GetArrayFromImage(itk(tmp_path / "label_out.nii.gz")), truth().T)

    def test_of_two_contradicting_forms_the_one_that_nnunet_reads_stays_alone(
        self, write: Callable[..., Written], tmp_path: Path
    ) -> None:
        written = write(nifti(scan(), qform=shifted(40)), nifti(truth()))
        assert "its qform and sform lie 40 mm apart" in written.notes[0]
        before, after = itk(tmp_path / "img.nii.gz"), itk(tmp_path / "image_out.nii.gz")
        assert same_geometry(before, after)
        assert np.array_equal(SimpleITK.GetArrayFromImage(before), SimpleITK.GetArrayFromImage(after))
        header = nibabel.load(tmp_path / "image_out.nii.gz").header
        assert np.allclose(header.get_qform(), header.get_sform(), atol=1e-4)
        assert same_geometry(after, itk(tmp_path / "label_out.nii.gz"))

    @pytest.mark.parametrize("offset", [0.1, 0.7])
    def test_a_label_a_little_off_gets_its_images_geometry_and_a_note(
        self, write: Callable[..., Written], tmp_path: Path, offset: float
    ) -> None:
        written = write(nifti(scan()), nifti(truth(), sform=shifted(offset), qform=shifted(offset)))
        assert f"label.nii.gz: its grid lay {offset} mm off its image's" in written.notes[0]
        assert same_geometry(itk(tmp_path / "image_out.nii.gz"), itk(tmp_path / "label_out.nii.gz"))

    def test_a_label_agrees_by_either_of_its_forms(self, write: Callable[..., Written]) -> None:
        assert write(nifti(scan()), nifti(truth(), sform=shifted(30), qform=affine())).notes != ()

    @pytest.mark.parametrize("wrong", [shifted(0.8), shifted(60), mirrored()], ids=["a little", "far", "mirrored"])
    def test_a_label_somewhere_else_is_refused(self, write: Callable[..., Written], wrong: np.ndarray) -> None:
        with pytest.raises(ValueError, match=r"label\.nii\.gz does not lie on its image .*img\.nii\.gz: no qform"):
            write(nifti(scan()), nifti(truth(), sform=wrong, qform=wrong))

    def test_a_label_of_another_size_is_refused(self, write: Callable[..., Written]) -> None:
        with pytest.raises(ValueError, match=r"label\.nii\.gz has \(19, 18, 10\) voxels, expected \(20, 18, 10\) as"):
            write(nifti(scan()), nifti(truth()[1:]))

    def test_an_axis_of_length_one_is_dropped_from_image_and_label(
        self, write: Callable[..., Written], tmp_path: Path
    ) -> None:
        written = write(nifti(scan()[..., None]), nifti(truth()[..., None]))
        assert "axes of length 1 removed from (20, 18, 10, 1)" in written.notes[0]
        assert np.array_equal(SimpleITK.GetArrayFromImage(itk(tmp_path / "image_out.nii.gz")), scan().T)
        assert itk(tmp_path / "image_out.nii.gz").GetSize() == itk(tmp_path / "label_out.nii.gz").GetSize() == SIZE

    def test_a_film_is_refused(self, write: Callable[..., Written]) -> None:
        with pytest.raises(ValueError, match=r"img\.nii\.gz has the shape \(20, 18, 10, 2\), expected a single 3D"):
            write(nifti(np.stack([scan(), scan()], axis=-1)), nifti(truth()))

    def test_a_big_endian_file_stays_right(self, write: Callable[..., Written], tmp_path: Path) -> None:
        image = nibabel.Nifti1Image(scan()[..., None], affine(), nibabel.Nifti1Header(endianness=">"))
        image.header.set_slope_inter(2, 7)
        write(image, nifti(truth()))
        before, after = itk(tmp_path / "img.nii.gz"), itk(tmp_path / "image_out.nii.gz")
        assert np.array_equal(SimpleITK.GetArrayFromImage(before), SimpleITK.GetArrayFromImage(after))
        assert np.array_equal(SimpleITK.GetArrayFromImage(itk(tmp_path / "label_out.nii.gz")), truth().T)


class TestLabels:
    @given(st.dictionaries(st.integers(0, 255), st.integers(0, 255), min_size=1), st.randoms(use_true_random=False))
    def test_every_id_becomes_what_the_map_says(self, ids: dict[int, int], random: object) -> None:
        voxels = np.random.default_rng(len(ids)).choice(list(ids), size=(3, 4, 5))
        expected = [ids[value] for value in voxels.ravel().tolist()]
        for dtype in (np.uint8, np.int32, np.float64):
            assert relabelled(voxels.astype(dtype), ids, Path("x")).ravel().tolist() == expected

    def test_counts_are_of_the_new_ids(self, write: Callable[..., Written]) -> None:
        written = write(nifti(scan()), nifti(truth()), ids={0: 0, 1: 0, 2: 5})
        assert written.label_counts == {0: int((truth() < 2).sum()), 5: int((truth() == 2).sum())}

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (7, r"contains the label\(s\) \[7\], expected only \[0, 1, 2\]"),
            (-1, r"\[-1\]"),
            (0.5, r"not whole numbers, such as 0\.5"),
            (np.nan, r"voxels that are no numbers \(NaN"),
        ],
    )
    def test_a_value_that_is_no_label_is_refused(
        self, write: Callable[..., Written], value: float, message: str
    ) -> None:
        voxels = truth().astype(np.float32)
        voxels[3, 3, 3] = value
        with pytest.raises(ValueError, match=rf"label\.nii\.gz .*{message}"):
            write(nifti(scan()), nifti(voxels))


class TestBadFiles:
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_an_image_with_voxels_that_are_no_numbers_is_refused(
        self, write: Callable[..., Written], value: float
    ) -> None:
        voxels = scan().astype(np.float32)
        voxels[0, 0, 0] = value
        with pytest.raises(ValueError, match=r"img\.nii\.gz has voxels that are no numbers"):
            write(nifti(voxels))

    def test_colour_is_no_volume(self, write: Callable[..., Written]) -> None:
        with pytest.raises(ValueError, match=r"has voxels of type .*, expected one number each"):
            write(nifti(np.zeros(SIZE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])))

    def test_a_sheared_header_is_refused(self, write: Callable[..., Written]) -> None:
        sheared = np.eye(4)
        sheared[0, 1] = 0.5
        with pytest.raises(ValueError, match=r"img\.nii\.gz has a header that nnU-Net cannot read \(ITK ERROR"):
            write(nibabel.Nifti1Image(scan(), sheared))

    @pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
    def test_a_cut_file_is_refused(self, tmp_path: Path, keep: float) -> None:
        content = nifti(scan()).to_bytes()
        for name, whole in (("a.nii", content), ("b.nii.gz", gzip.compress(content))):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * keep)])
            case = Case("case", "Tr", (tmp_path / name,), (), write_volume)
            with pytest.raises(ValueError, match=rf"{name} is not a complete NIfTI file"):
                write_volume(case, tmp_path / "out.nii.gz", tmp_path / "unused", IDS)
            assert not (tmp_path / "out.nii.gz").exists()


def test_the_farthest_corner_of_a_turned_grid_is_the_far_end() -> None:
    turned = np.array([[0, -1.0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert farthest_corner(np.eye(4), turned, (11, 11, 1)) == pytest.approx(20)
    assert farthest_corner(turned, turned, (11, 11, 1)) == 0
