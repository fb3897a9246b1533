"""No network launches, moves or widens more on a GPU than it did, or calls kernels that are slow there; none is needed.

`python -m tests.guards.test_gpu_kernels [NAME ...]` prints the figures of `limits` anew.
"""

import re
import sys
from collections.abc import Callable, Sequence

import pytest
import torch

from benchmarks.recorded_step import SIZES, STOCK, record_step, recorded_step, variants
from benchmarks.recorder import Recorder
from benchmarks.roofline import MEASURED, PAGE, ratios, table
from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.kernels import nearest_conv, patch_embedding, pointwise, voxel_sums
from tests.guards.limits import RECORDED, WHY_WIDE, WIDE

pytestmark = pytest.mark.slow
SLACK = 1.1


def check(name: str, size: str, record: Callable[[str, str], Recorder] = recorded_step) -> None:
    if name not in RECORDED:
        pytest.skip(
            f"python -m tests.guards.test_gpu_kernels {name} prints what tests/guards/limits.py may record of it"
        )
    step, position = record(name, size), list(SIZES).index(size)
    launches, bytes_ratio, time_ratio = RECORDED[name][position]
    assert not step.slow
    wide = {place: counts[position] for place, counts in WIDE[name].items()}
    more = {place: count for place, count in step.wide.items() if count > wide.get(place, 0)}
    assert not more, f"float32 maps at full resolution: {more}, documented are {wide}"
    assert step.launches.total() <= SLACK * launches, step.launches.most_common(10)
    moved, expected = ratios(step, size)
    assert moved <= SLACK * bytes_ratio, f"moves {moved:.2f} times what {STOCK} does: {step.places.most_common(10)}"
    assert expected <= SLACK * time_ratio, f"expected to take {expected:.2f} times as long as {STOCK}"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", variants())
def test_a_step_does_no_more_than_it_did(name: str, size: str) -> None:
    check(name, size)


def test_every_place_that_may_make_float32_maps_says_why() -> None:
    assert {place for places in WIDE.values() for place in places} == WHY_WIDE.keys()


def test_the_page_has_the_table_that_the_script_prints_now() -> None:
    written = re.search(r"<!-- roofline:begin -->\n(.*)\n<!-- roofline:end -->", PAGE.read_text(), re.S)
    assert written
    number = re.compile(r"(?<=\| )[\d.]+(?= \|)")
    cure = "python -m benchmarks.roofline --write brings the page up to date"
    page, now = written[1], table(MEASURED, [name for name in NETWORKS if name in RECORDED])
    assert number.sub("", page) == number.sub("", now), cure
    before, after = ([float(figure) for figure in number.findall(text)] for text in (page, now))
    assert after == pytest.approx(before, rel=SLACK - 1, abs=0.1), cure  # other releases of torch launch a bit more


@pytest.mark.parametrize(("name", "size"), [("UTANet", "3d"), ("MSAUNet", "2d"), ("U2Net", "3d"), ("UDTransNet", "2d")])
def test_sums_over_voxels_at_once_are_seen(name: str, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voxel_sums, "worth_cutting", lambda x: False)
    with pytest.raises(AssertionError, match="mm of"):
        check(name, size, record_step)


@pytest.mark.parametrize("size", SIZES)
def test_convolutions_of_large_patches_are_seen(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_embedding, "LARGEST_CONVOLVED", 16)
    with pytest.raises(AssertionError, match="kernel and stride"):
        check("UDTransNet", size, record_step)


def test_a_loop_over_pieces_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_by_one(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        pieces = zip(a.split(voxel_sums.PIECE, 2), b.split(voxel_sums.PIECE, 2), strict=True)
        return sum(voxel_sums.product(x, y.mT) for x, y in pieces)

    monkeypatch.setattr(pointwise, "sum_over_voxels", one_by_one)
    with pytest.raises(AssertionError, match="'bmm'"):
        check("UTANet", "3d", record_step)


def test_float32_copies_of_maps_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointwise, "minus", lambda x, mean: (x.float() - mean).to(x.dtype))
    with pytest.raises(AssertionError, match="float32 maps at full resolution"):
        check("UTANet", "2d", record_step)


def test_enlarged_maps_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest_conv, "route", lambda *sizes: "plain")
    with pytest.raises(AssertionError, match="moves"):
        check("XUNet", "3d", record_step)


def figures(names: Sequence[str]) -> None:
    """Prints the two dictionaries."""
    for name in names or variants():
        steps = [recorded_step(name, size) for size in SIZES]
        rows = [
            (step.launches.total(), *(round(ratio, 2) for ratio in ratios(step, size)))
            for step, size in zip(steps, SIZES, strict=True)
        ]
        print(f'    "{name}": {tuple(rows)},')
        places = sorted({place for step in steps for place, count in step.wide.items() if count})
        wide = {place: tuple(step.wide[place] for step in steps) for place in places}
        print(f'  # "{name}": {wide},'.replace("'", '"'))


if __name__ == "__main__":
    figures(sys.argv[1:])
