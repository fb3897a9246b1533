from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnunet_skipx.datasets.pictures import any_value, black_and_white, write_picture
from nnunet_skipx.datasets.recipe import Case
from tests.datasets.sources import turned

MASK = np.array([[0, 1, 2, 0], [0, 0, 3, 0], [0, 0, 0, 0]], dtype=np.uint8)
SIZE = (3, 4)
RGB = np.random.default_rng(0).integers(0, 256, size=(*SIZE, 3), dtype=np.uint8)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def palette() -> Image.Image:
    """Instance numbers as indices of colours, number 0 in white."""
    image = Image.fromarray(MASK).convert("P")
    image.putpalette([255, 255, 255, 9, 9, 9, 0, 0, 0, 7, 7, 7])
    return image


def alpha(mask: np.ndarray) -> Image.Image:
    opaque = np.full(SIZE, 255, dtype=np.uint8)
    return Image.fromarray(np.dstack([mask, mask, mask, opaque]))


KINDS: dict[str, Callable[[], Image.Image]] = {
    "instances": lambda: Image.fromarray(MASK),
    "black and white": lambda: Image.fromarray((MASK > 0).astype(np.uint8) * 255),
    "one bit": lambda: Image.fromarray(MASK > 0),
    "colours": lambda: Image.fromarray(np.dstack([MASK * 0, MASK * 40, MASK * 80])),
    "alpha": lambda: alpha(MASK),
    "palette": palette,
}


class TestMasks:
    @pytest.mark.parametrize("kind", KINDS)
    def test_anything_but_zero_is_the_object(self, tmp_path: Path, kind: str) -> None:
        path = save(tmp_path / "mask.png", KINDS[kind]())
        assert np.array_equal(any_value(path, SIZE), MASK > 0)

    @pytest.mark.parametrize("white", [1, 255])
    def test_white_is_the_object(self, tmp_path: Path, white: int) -> None:
        path = save(tmp_path / "mask.png", Image.fromarray(np.where(MASK > 0, white, 0).astype(np.uint8)))
        assert np.array_equal(black_and_white(path, SIZE), MASK > 0)

    @pytest.mark.parametrize("value", [0, 255])
    def test_an_empty_or_full_mask_is_one_too(self, tmp_path: Path, value: int) -> None:
        path = save(tmp_path / "mask.png", Image.fromarray(np.full(SIZE, value, dtype=np.uint8)))
        assert np.array_equal(black_and_white(path, SIZE), np.full(SIZE, value > 0))

    @pytest.mark.parametrize("values", [(0, 128, 255), (0, 100), (128, 255)])
    def test_a_mask_with_values_between_is_refused(self, tmp_path: Path, values: tuple[int, ...]) -> None:
        mask = np.resize(np.array(values, dtype=np.uint8), SIZE)
        path = save(tmp_path / "mask.png", Image.fromarray(mask))
        with pytest.raises(ValueError, match=r"mask\.png holds the value (128|100), expected a mask of 0 and 255 only"):
            black_and_white(path, SIZE)


class TestPictures:
    def write(self, tmp_path: Path, picture: Path, mask: Path | None = None) -> tuple[str, ...]:
        case = Case("case", "Tr", (picture,), (mask,) if mask else (), write_picture)
        return write_picture(case, tmp_path / "image.out.png", tmp_path / "label.out.png", any_value).notes

    def test_pixels_survive(self, tmp_path: Path) -> None:
        mask = save(tmp_path / "mask.bmp", Image.fromarray(MASK))
        assert self.write(tmp_path, save(tmp_path / "picture.bmp", Image.fromarray(RGB)), mask) == ()
        assert np.array_equal(np.asarray(Image.open(tmp_path / "image.out.png")), RGB)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "label.out.png")), MASK > 0)

    def test_a_photograph_is_not_turned(self, tmp_path: Path) -> None:
        picture = save(tmp_path / "picture.jpg", Image.fromarray(RGB), exif=turned())
        self.write(tmp_path, picture)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "image.out.png")), np.asarray(Image.open(picture)))

    def test_grey_and_transparent_pictures_become_rgb_with_a_note(self, tmp_path: Path) -> None:
        assert "made RGB of L" in self.write(tmp_path, save(tmp_path / "grey.png", Image.fromarray(MASK)))[0]
        assert "made RGB of RGBA" in self.write(tmp_path, save(tmp_path / "rgba.png", alpha(MASK)))[0]
        assert np.asarray(Image.open(tmp_path / "image.out.png")).shape == (*SIZE, 3)

    def test_a_mask_of_another_size_is_refused(self, tmp_path: Path) -> None:
        mask = save(tmp_path / "mask.png", Image.fromarray(MASK.T))
        with pytest.raises(ValueError, match=r"mask\.png has \(4, 3\) pixels \(H, W\), expected \(3, 4\) as in .*p\.p"):
            self.write(tmp_path, save(tmp_path / "p.png", Image.fromarray(RGB)), mask)

    def test_more_than_eight_bits_are_refused(self, tmp_path: Path) -> None:
        picture = save(tmp_path / "p.png", Image.fromarray(MASK.astype(np.uint16) * 1000))
        with pytest.raises(ValueError, match=r"p\.png is a picture of the kind I;16, expected 8 bits per channel"):
            self.write(tmp_path, picture)

    @pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif"])
    @pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
    def test_a_cut_picture_is_refused(self, tmp_path: Path, ending: str, keep: float) -> None:
        large = np.random.default_rng(0).integers(0, 256, size=(60, 80, 3), dtype=np.uint8)
        picture = save(tmp_path / f"p.{ending}", Image.fromarray(large))
        content = picture.read_bytes()
        picture.write_bytes(content[: int(len(content) * keep)])
        with pytest.raises(ValueError, match=rf"p\.{ending} is not a complete picture"):
            self.write(tmp_path, picture)
