"""A prediction that a kill has cut off is not taken for a whole one, in any of nnU-Net's formats."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO
from nnunetv2.imageio.nibabel_reader_writer import NibabelIO
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.imageio.tif_reader_writer import Tiff3DIO

from nnunet_skipx.nnunet.continued import is_whole

SITK = {"sitk_stuff": {"spacing": (1.0,) * 3, "origin": (0.0,) * 3, "direction": tuple(np.eye(3).ravel())}}
NIBABEL = {"nibabel_stuff": {"original_affine": np.eye(4)}}
FORMATS: list[tuple[str, Any, dict[str, Any], int]] = [
    (".nii.gz", SimpleITKIO(), SITK, 12),
    (".nii", SimpleITKIO(), SITK, 12),
    (".nrrd", SimpleITKIO(), SITK, 12),
    (".mha", SimpleITKIO(), SITK, 12),
    (".nii.gz", NibabelIO(), NIBABEL, 12),
    (".png", NaturalImage2DIO(), {}, 1),
    (".tif", Tiff3DIO(), {"spacing": (1.0,) * 3}, 12),
]


@pytest.mark.parametrize(("ending", "writer", "properties", "slices"), FORMATS)
def test_what_is_cut_off_is_not_whole(
    tmp_path: Path, ending: str, writer: Any, properties: dict[str, Any], slices: int
) -> None:
    path = tmp_path / f"case{ending}"
    segmentation = np.random.default_rng(0).integers(0, 2, (slices, 40, 30)).astype(np.uint8)
    writer.write_seg(segmentation, str(path), {**properties, "spacing": [1.0, 1.0, 1.0]})
    content = path.read_bytes()
    assert is_whole(path, writer)
    for share in (0, 0.1, 0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        assert not is_whole(path, writer), f"{share} of {ending}"
