"""The page of `skipx data check`: escaped, offline, with small thumbnails."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nnunet_skipx.datasets.check.page import AT_MOST, range_plots, tiles, write_page
from nnunet_skipx.datasets.check.records import CaseRecord, Channel, Grid, LabelRecord, Labels, RawDataset
from nnunet_skipx.datasets.check.summary import summary_table
from nnunet_skipx.datasets.check.thumbnails import border, colour_of, fullest_slice, slicing_axis, thumbnail
from nnunet_skipx.datasets.check.words import problem, remark

EVIL = "<script>alert('x')</script>"
GRID = Grid((4, 4), (1.0, 1.0))


def dataset(*channels: str) -> RawDataset:
    return RawDataset(Path(f"Dataset001_{EVIL[1:]}"), {}, channels, ".png", Labels({EVIL: (1,)}, (0, 1)), object, ())


def record(name: str, high: float = 9, part: str = "Tr") -> CaseRecord:
    label = LabelRecord(f"labelsTr/{name}.png", GRID, {0: 10, 1: 6})
    channel = Channel(f"images{part}/{name}_0000.png", GRID, 0, high, (0, high / 2))
    return CaseRecord(name, part, (channel,), label, thumbnail=b"png")


def page(folder: Path, records: list[CaseRecord], *findings: object) -> str:
    data = dataset(EVIL)
    write_page(folder / "new" / "page.html", data, records, findings, [EVIL], summary_table(records, data))  # type: ignore
    return (folder / "new" / "page.html").read_text()


class TestPage:
    def test_all_text_from_files_is_escaped(self, tmp_path: Path) -> None:
        html = page(tmp_path, [record(EVIL)], problem(EVIL, EVIL, EVIL))
        assert "<script" not in html
        assert html.count("&lt;script&gt;") > 8

    def test_nothing_is_loaded_from_outside(self, tmp_path: Path) -> None:
        html = page(tmp_path, [record("a")])
        assert not re.findall(r"https?://|<link|@import|url\(", html)
        assert set(re.findall(r'src="([^"]{5})', html)) == {"data:"}

    def test_problems_come_before_remarks(self, tmp_path: Path) -> None:
        html = page(tmp_path, [record("a")], remark("Labels", "odd"), problem("Labels", "wrong"))
        assert html.index("wrong") < html.index("odd")

    def test_thumbnails_are_limited_to_cases_with_findings_first(self, tmp_path: Path) -> None:
        records = [record(f"case{number:03d}") for number in range(AT_MOST + 20)]
        found = [remark("Labels", "odd", "case218"), problem("Labels", "wrong", "case219")]
        assert [tile.case for tile in tiles(records, dataset("MRI"), found)][:3] == ["case219", "case218", "case000"]
        html = page(tmp_path, records, *found)
        assert html.count("<figure") == AT_MOST
        assert f"The first {AT_MOST} of {AT_MOST + 20} cases" in html


class TestRangePlots:
    @given(st.lists(st.floats(-2000, 1e6), min_size=1, max_size=5))
    def test_every_bar_lies_inside_the_plot(self, highs: list[float]) -> None:
        for plot in range_plots([record(str(i), abs(high)) for i, high in enumerate(highs)], dataset("MRI")):
            for bar in plot.bars:
                assert 0 <= bar.all[0] <= bar.usual[0] + 1e-9 <= bar.usual[1] + 2e-9 <= bar.all[1] + 3e-9 <= 100 + 1e-6

    def test_a_case_far_above_others_makes_the_scale_logarithmic(self) -> None:
        titles = [
            [plot.title for plot in range_plots([record("a"), record("b"), record("c", high)], dataset("MRI"))]
            for high in (9, 9000)
        ]
        assert titles == [["0 MRI"], ["0 MRI, logarithmic scale"]]

    def test_channels_without_any_range_have_no_plot(self) -> None:
        assert range_plots([record("a", 0), record("b", np.nan)], dataset("MRI", "missing")) == []


class TestThumbnails:
    @given(st.integers(1, 300), st.integers(1, 300), st.floats(0.3, 3), st.sampled_from([1, 3]), st.integers(0, 5))
    def test_they_are_small_pictures_in_proportion(
        self, height: int, width: int, ratio: float, channels: int, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        planes = [rng.normal(size=(height, width)) * 100 for _ in range(channels)]
        made = Image.open(io.BytesIO(thumbnail(planes, (ratio, 1.0), None, {})))
        sides = height * ratio, width
        assert sorted(made.size) == [max(1, round(160 * min(sides) / max(sides))), 160]
        assert (made.size[1] > made.size[0]) <= (sides[0] > sides[1])

    def test_contours_have_the_colours_of_the_legend(self) -> None:
        label = np.zeros((160, 160), np.uint8)
        label[20:60, 20:60], label[80:140, 80:140] = 1, 2
        drawn = {"organ": (1, 2), "tumour": (2,)}
        made = Image.open(io.BytesIO(thumbnail([np.zeros((160, 160))], (1, 1), label, drawn))).convert("RGB")
        colours = ["#%02x%02x%02x" % made.getpixel(place) for place in ((20, 30), (80, 100), (100, 100))]  # noqa: UP031
        assert colours[:2] == [colour_of(0, "organ"), colour_of(1, "tumour")]
        assert colours[2] == "#808080"

    @pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
    def test_a_slice_without_contrast_is_drawn(self, value: float) -> None:
        assert thumbnail([np.full((5, 6), value)], (1, 1), None, {})

    def test_the_fullest_slice_is_taken_and_the_middle_one_of_none(self) -> None:
        mask = np.zeros((5, 6, 7), bool)
        assert fullest_slice(mask, 0) == 2
        mask[4, 1:4, 3] = True
        mask[1, 1, 1:3] = True
        assert [fullest_slice(mask, axis) for axis in range(3)] == [4, 1, 3]

    @pytest.mark.parametrize(("spacing", "axis"), [((1, 1, 1.1), 0), ((1, 1, 3), 2), ((999, 1, 1), 0), ((1, 5, 1), 1)])
    def test_thick_slices_are_shown_as_they_were_taken(self, spacing: tuple[float, ...], axis: int) -> None:
        assert slicing_axis(spacing) == axis

    def test_the_edge_of_a_picture_is_no_border(self) -> None:
        mask = np.zeros((6, 6), bool)
        mask[:3] = True
        assert np.array_equal(border(mask), np.arange(6)[:, None] * np.ones(6) == 2)
