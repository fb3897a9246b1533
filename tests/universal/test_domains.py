"""domains: what nnU-Net has planned is read back, and what cannot share weights is refused with the reason."""

import json
from pathlib import Path

import pytest

from nnunet_skipx.universal.domains import PlannedDomain, read_domain, shared_architecture
from tests.plan_shapes import SHAPES, PlanShape
from tests.universal.conftest import Make

DEEPER = PlanShape((40, 56, 40), (1, 1, 1), 4)
WIDER = PlanShape((16, 24, 16), (1, 1, 1), 3, features=8)


def read(number: int) -> PlannedDomain:
    return read_domain(str(number), "nnUNetPlans", "test")


def edit(path: Path, change: dict) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_a_domain_tells_what_its_plan_and_its_data_set_say(make_domain: Make) -> None:
    folder = make_domain(11, classes=4, channels=2)
    domain = read(11)
    assert (domain.dataset, domain.folder) == ("Dataset011_Made", folder / "nnUNetPlans_test")
    assert (domain.input_channels, domain.heads) == (2, 4)
    assert domain.architecture["n_stages"] == 3


def test_the_fingerprint_changes_with_plan_labels_and_files_and_with_nothing_else(make_domain: Make) -> None:
    folder = make_domain(11)
    cases = folder / "nnUNetPlans_test"

    def changed() -> set[str]:
        now, before = read(11).fingerprint(), prints.copy()
        prints.update(now)
        return {part for part in now if now[part] != before[part]}

    prints = read(11).fingerprint()
    (cases / "a.npy").write_bytes(b"unpacked by nnU-Net")
    assert changed() == set()
    edit(folder / "nnUNetPlans.json", {"plans_name": "other"})
    assert changed() == {"plans"}
    edit(folder / "dataset.json", {"labels": {"background": 0, "x": 1}})
    assert changed() == {"dataset.json"}
    (cases / "a.pkl").write_bytes(b"longer than before")
    assert changed() == {"preprocessed cases"}
    (cases / "b.pkl").unlink()
    assert changed() == {"preprocessed cases"}


@pytest.mark.parametrize("place", [0, 150_000, 299_999])
def test_the_fingerprint_of_a_large_file_sees_its_beginning_middle_and_end(make_domain: Make, place: int) -> None:
    case = make_domain(11) / "nnUNetPlans_test" / "a.b2nd"
    content = bytearray(300_000)
    case.write_bytes(content)
    before = read(11).fingerprint()
    content[place] = 1
    case.write_bytes(content)
    assert read(11).fingerprint() != before


def test_what_is_not_ready_is_refused_with_the_cure(make_domain: Make) -> None:
    folder = make_domain(11)
    with pytest.raises(ValueError, match="Dataset011_Made have no configuration '2d'; they have: test"):
        read_domain("11", "nnUNetPlans", "2d")
    with pytest.raises(FileNotFoundError, match="'12' was not found"):
        read(12)
    content = json.loads((folder / "nnUNetPlans.json").read_text())
    content["configurations"]["test"]["previous_stage"] = "3d_lowres"
    (folder / "nnUNetPlans.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="test continues from the predictions of 3d_lowres"):
        read(11)
    for path in (folder / "nnUNetPlans_test").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="holds no preprocessed case: run nnUNetv2_preprocess -d 11"):
        read(11)


@pytest.mark.parametrize("residual", [False, True])
def test_domains_of_other_depths_share_the_stages_that_both_have(make_domain: Make, residual: bool) -> None:
    make_domain(11, residual=residual)
    make_domain(12, shape=DEEPER, classes=2, channels=4, residual=residual)
    for order in ((11, 12), (12, 11)):
        shared = shared_architecture([read(number) for number in order])
        assert shared["features_per_stage"] == [4, 8, 16, 32]
        assert ("n_blocks_per_stage" in shared) == residual
        assert "strides" not in shared
        assert shared["kernel_sizes"] == [[3, 3, 3]] * 4


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"shape": SHAPES["2d-3-stages"]}, "differ in conv_op"),
        ({"shape": WIDER}, r"differ in features_per_stage \(\["),
        ({"norm": "batch"}, "differ in norm_op"),
        ({"residual": True}, "differ in n_conv_per_stage, which only one of them has"),
    ],
)
def test_plans_that_do_not_fit_are_refused_with_both_data_sets_and_the_entry(
    make_domain: Make, other: dict, message: str
) -> None:
    make_domain(11)
    make_domain(12, **other)
    with pytest.raises(ValueError, match=rf"Dataset01\d_Made and Dataset01\d_Made cannot share weights.*{message}"):
        shared_architecture([read(11), read(12)])


def test_the_depth_of_the_decoder_is_compared_from_the_full_resolution(make_domain: Make) -> None:
    for number, shape, convolutions in ((11, SHAPES["3d-3-stages"], [1, 2]), (12, DEEPER, [3, 1, 2])):
        path = make_domain(number, shape=shape) / "nnUNetPlans.json"
        content = json.loads(path.read_text())
        content["configurations"]["test"]["architecture"]["arch_kwargs"]["n_conv_per_stage_decoder"] = convolutions
        path.write_text(json.dumps(content))
    assert shared_architecture([read(11), read(12)])["n_conv_per_stage_decoder"] == [3, 1, 2]


def test_one_data_set_is_no_universe(make_domain: Make) -> None:
    make_domain(11)
    for domains in ([], [read(11)], [read(11), read(11)]):
        with pytest.raises(ValueError, match="takes two or more data sets, each once"):
            shared_architecture(domains)
