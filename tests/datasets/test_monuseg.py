from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.datasets.monuseg import binary, filled, with_boundary
from tests.datasets.sources import CROSSING, LEAVING, LINE, SQUARE, outlines

SIZE = (40, 52)
POINT = st.tuples(st.floats(-10, 60), st.floats(-10, 50))


def surely_inside(corners: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Pixels from which a ray to the right crosses the outline an odd number of times, but for those close to it."""
    crossings, close = np.zeros(rows.shape, dtype=int), np.zeros(rows.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        close |= (np.abs(rows - y0) < 1e-6) | (np.abs(rows - y1) < 1e-6)
        if abs(y0 - y1) > 1e-9:
            at = x0 + (rows - y0) / (y1 - y0) * (x1 - x0)
            between = (np.minimum(y0, y1) < rows) & (rows < np.maximum(y0, y1))
            crossings += between & (at > columns)
            close |= between & (np.abs(at - columns) < 1e-6)
    return (crossings % 2 == 1) & ~close


def drawn(tmp_path: Path, *shapes: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    path = tmp_path / "outlines.xml"
    path.write_text(outlines(*shapes))
    return binary(path, SIZE), with_boundary(path, SIZE)


class TestDrawing:
    def test_x_is_the_column_and_y_the_row(self, tmp_path: Path) -> None:
        mask, _ = drawn(tmp_path, SQUARE)
        assert mask[5:12, 6:15].all()
        assert mask.sum() <= 9 * 11

    def test_an_outline_that_leaves_the_picture_is_cut_there(self, tmp_path: Path) -> None:
        mask, _ = drawn(tmp_path, LEAVING)
        assert mask[31:, 46:].all()
        assert not mask[:30].any()
        assert not mask[:, :45].any()

    def test_an_outline_outside_the_picture_draws_nothing(self, tmp_path: Path) -> None:
        assert not drawn(tmp_path, [(60, 50), (70, 50), (70, 60)], [(-9, -9), (-2, -9), (-2, -2)])[0].any()

    def test_an_outline_that_crosses_itself_has_no_holes(self, tmp_path: Path) -> None:
        twice = [(5, 5), (30, 5), (30, 30), (5, 30), (5, 5), (10, 10), (25, 10), (25, 25), (10, 25), (10, 10)]
        assert drawn(tmp_path, twice)[0][6:30, 6:30].all()
        bow = drawn(tmp_path, CROSSING)[0]
        assert bow[7, 29]
        assert bow[7, 21]

    def test_three_points_are_a_nucleus(self, tmp_path: Path) -> None:
        assert drawn(tmp_path, [(5, 5), (25, 5), (5, 25)])[0][8, 8]

    def test_a_line_is_no_nucleus(self, tmp_path: Path) -> None:
        assert not drawn(tmp_path, LINE)[0].any()

    @given(st.lists(POINT, min_size=3, max_size=8))
    def test_every_point_that_is_inside_by_the_even_odd_rule_is_filled(self, points: list[tuple[float, float]]) -> None:
        corners = np.array(points)
        top, left, inside = filled(corners[:, 1], corners[:, 0], SIZE)
        mask = np.zeros(SIZE, dtype=bool)
        mask[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        rows, columns = np.indices(SIZE)
        assert mask[surely_inside(corners, rows, columns)].all()
        assert not mask[(rows < corners[:, 1].min() - 1e-6) | (rows > corners[:, 1].max() + 1e-6)].any()


class TestBoundary:
    @given(st.lists(st.lists(POINT, min_size=3, max_size=6), min_size=1, max_size=4))
    def test_nucleus_and_boundary_together_are_the_binary_mask(
        self, tmp_path_factory: pytest.TempPathFactory, shapes: list[list[tuple[float, float]]]
    ) -> None:
        mask, classes = drawn(tmp_path_factory.mktemp("xml"), *shapes)
        assert np.array_equal(classes > 0, mask == 1)

    def test_the_boundary_is_one_pixel_wide_and_parts_nuclei_that_touch(self, tmp_path: Path) -> None:
        left, right = [(5, 5), (15, 5), (15, 20), (5, 20)], [(15, 5), (25, 5), (25, 20), (15, 20)]
        _, classes = drawn(tmp_path, left, right)
        row = classes[12, 4:28]
        assert row[row > 0][[0, -1]].tolist() == [2, 2]
        assert 2 in row[8:14]
        assert (row == 1).sum() > 10

    def test_the_edge_of_the_picture_is_a_boundary_too(self, tmp_path: Path) -> None:
        _, classes = drawn(tmp_path, LEAVING)
        assert (classes[31:, -1] == 2).all()


NO_Y = '<Region><Vertices><Vertex X="1"/></Vertices></Region>'


@pytest.mark.parametrize("content", ["", "<Annotations>", "<a/>", "junk", NO_Y])
def test_a_file_without_outlines_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"a\.xml (is no complete XML file|has no Region)"):
        binary(path, SIZE)
