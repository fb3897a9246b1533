"""The rules of `skipx data check` by themselves: geometry, duplicates, folds and patients."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.datasets.check.duplicates import duplicates
from nnunet_skipx.datasets.check.findings import case_findings
from nnunet_skipx.datasets.check.folds import patient_findings, patients_by_pattern, split_findings
from nnunet_skipx.datasets.check.geometry import geometry_across, geometry_within
from nnunet_skipx.datasets.check.intensities import not_hounsfield, other_scales
from nnunet_skipx.datasets.check.records import CaseRecord, Channel, Grid, LabelRecord, Labels, RawDataset
from nnunet_skipx.datasets.check.together import rare_labels
from nnunet_skipx.datasets.check.words import number, verdict

LABELS = Labels({"liver": (1, 2), "tumour": (2,)}, (0, 1, 2), 3)
DATASET = RawDataset(Path("raw"), {}, ("CT",), ".nii.gz", LABELS, object, ())
GRID = Grid((10, 12, 6), (0.5, 0.5, 2.0), np.diag([0.5, 0.5, 2, 1]))


def channel(
    grid: Grid = GRID, low: float = -1000, high: float = 900, case: str = "a", digest: str = "", number: int = 0
) -> Channel:
    return Channel(f"imagesTr/{case}_{number:04d}.nii.gz", grid, low, high, (low, high), 0, digest)


def record(
    name: str = "a",
    part: str = "Tr",
    grid: Grid = GRID,
    digest: str = "",
    low: float = -1000,
    voxels: dict[float, int] | None = None,
    label_grid: Grid | None = None,
) -> CaseRecord:
    label = LabelRecord(f"labelsTr/{name}.nii.gz", label_grid or grid, voxels or {0: 700, 1: 15, 2: 5})
    return CaseRecord(name, part, (channel(grid, low, case=name, digest=digest),), label)


def test_an_ordinary_case_has_no_findings() -> None:
    assert case_findings(record(), DATASET) == []


class TestGeometry:
    @given(st.lists(st.floats(-50, 50), min_size=3, max_size=3))
    def test_a_shift_is_a_problem_from_half_a_voxel_on(self, shift: list[float]) -> None:
        affine = np.array(GRID.affine)
        affine[:3, 3] += shift
        found = list(geometry_within(record(label_grid=Grid(GRID.size, GRID.spacing, affine))))
        length = np.linalg.norm(shift)
        grades = [finding.grade for finding in found]
        assert grades == ([] if length <= 1e-3 else ["remark"] if length <= 0.25 else ["problem"])

    @given(st.floats(0.05, 20))
    def test_a_spacing_more_than_three_times_off_is_remarked(self, factor: float) -> None:
        spacing = (0.5, 0.5, 2.0 * factor)
        odd = record("odd", grid=Grid(GRID.size, spacing, np.diag([*spacing, 1])))
        found = list(geometry_across([record(str(i)) for i in range(4)] + [odd]))
        assert [finding.cases for finding in found] == ([("odd",)] if factor > 3 or factor < 1 / 3 else [])

    def test_a_picture_among_volumes_is_a_problem(self) -> None:
        found = list(geometry_across([record("a"), record("b"), record("c", grid=Grid((10, 12), (1, 1)))]))
        assert [(finding.grade, finding.cases) for finding in found] == [("problem", ("c",))]

    def test_formats_without_a_place_in_space_are_compared_by_size(self) -> None:
        grid = Grid((10, 12), (1, 1))
        assert list(geometry_within(record(grid=grid))) == []
        assert len(list(geometry_within(record(grid=grid, label_grid=Grid((12, 10), (1, 1)))))) == 1


class TestVolumes:
    def test_regions_sum_their_labels_in_millilitres(self) -> None:
        volumes = record(voxels={0: 1, 1: 3000, 2: 1000, 3: 200}).volumes(LABELS)
        assert volumes == {"liver": 2.0, "tumour": 0.5, "ignore": 0.1}

    def test_a_region_without_a_voxel_in_any_case_is_a_problem(self) -> None:
        found = list(rare_labels([record(str(i), voxels={0: 9, 1: 9}) for i in range(9)], DATASET))
        assert [(finding.grade, "label tumour" in finding.text) for finding in found] == [("problem", True)]

    @given(st.integers(1, 12), st.integers(1, 12))
    def test_a_label_in_fewer_cases_than_folds_is_remarked(self, holding: int, without: int) -> None:
        with_tumour, with_liver = {0: 9, 1: 9, 2: 1}, {0: 9, 1: 9}
        records = [record(voxels=voxels) for voxels in [with_tumour] * holding + [with_liver] * without]
        assert len(list(rare_labels(records, DATASET))) == (holding < 5)


class TestDuplicates:
    SPLITS = [{"train": ["a"], "val": ["b", "c"]}, {"train": ["b", "c"], "val": ["a"]}]

    @pytest.mark.parametrize(
        ("first", "second", "grade"), [("a", "b", "problem"), ("b", "c", "remark"), ("b", "test", "problem")]
    )
    def test_they_are_a_problem_where_they_make_validation_or_test_too_easy(
        self, first: str, second: str, grade: str
    ) -> None:
        same = [record(name, "Ts" if name == "test" else "Tr", digest="x") for name in (first, second)]
        found = list(duplicates([*same, record("d", digest="y")], self.SPLITS))
        assert [(finding.grade, finding.cases) for finding in found] == [(grade, (first, second))]

    def test_every_repeated_file_is_named_once_with_its_twins(self) -> None:
        cases = {"a": "xy", "b": "xy", "c": "xz", "d": "vv"}
        records = [
            CaseRecord(name, "Tr", tuple(channel(case=name, digest=d, number=i) for i, d in enumerate(digests)), None)
            for name, digests in cases.items()
        ]
        texts = [finding.text for finding in duplicates(records, self.SPLITS)]
        assert [text.split("(")[1].split(")")[0].replace("imagesTr/", "").replace(".nii.gz", "") for text in texts] == [
            "a_0000 = b_0000 = c_0000",
            "a_0001 = b_0001",
            "d_0000 = d_0001",
        ]
        assert "case d has the same image" in texts[2] and "restore the others" in texts[2]

    def test_a_training_and_a_test_case_of_one_name_are_two(self) -> None:
        (found,) = duplicates([record("a", digest="x"), record("a", "Ts", digest="x")], None)
        assert found.grade == "problem" and "is no test" in found.text

    def test_unreadable_and_constant_images_are_no_duplicates(self) -> None:
        constant = [record(name, digest="x", low=900) for name in "ab"]
        assert list(duplicates([*constant, record("c"), record("d")], None)) == []


class TestScales:
    @given(st.floats(1e-4, 1e4))
    def test_a_case_fifty_times_off_the_others_is_told_in_one_line(self, factor: float) -> None:
        odd = CaseRecord("odd", "Tr", (channel(case="odd", low=-1000 * factor, high=900 * factor),), None)
        found = list(other_scales([*(record(str(i)) for i in range(4)), odd], DATASET))
        assert [finding.cases for finding in found] == ([("odd",)] if factor > 50 or factor < 1 / 50 else [])
        assert all(finding.grade == "remark" for finding in found)

    def test_all_channels_of_a_case_stand_in_its_line(self) -> None:
        two = replace(DATASET, channel_names=("CT", "MRI"))
        records = [
            CaseRecord(name, "Tr", tuple(channel(case=name, low=0, high=high, number=n) for n in (0, 1)), None)
            for name, high in (("a", 900), ("b", 1000), ("c", 1100), ("d", 100_000), ("e", 2))
        ]
        first, second = (finding.text for finding in other_scales(records, two))
        assert "0 to 100000 in channel 0 (CT), 105 times the median size of the others, 950" in first
        assert first.count("imagesTr/d_") == 2 and "1/525 of the median size" in second

    def test_of_two_cases_none_is_the_odd_one_and_constant_ones_do_not_count(self) -> None:
        small = CaseRecord("b", "Tr", (channel(case="b", low=0, high=1),), None)
        constant = CaseRecord("c", "Tr", (channel(case="c", low=7, high=7),), None)
        assert list(other_scales([record(), small, constant], DATASET)) == []


class TestHounsfield:
    def test_only_channels_named_ct_are_looked_at(self) -> None:
        mri = RawDataset(Path("raw"), {}, ("MRI",), ".nii.gz", LABELS, object, ())
        assert list(not_hounsfield([record(low=0), record("b")], mri)) == []

    def test_one_case_is_named_and_all_cases_are_summed_up(self) -> None:
        assert [finding.cases for finding in not_hounsfield([record(low=0), record("b")], DATASET)] == [("a",)]
        found = list(not_hounsfield([record(low=0), record("b", low=24)], DATASET))
        assert ["from 0 to 900 in all 2 cases" in finding.text for finding in found] == [True]


class TestFolds:
    @given(st.lists(st.integers(0, 2), min_size=6, max_size=6))
    def test_a_partition_of_the_cases_has_no_findings(self, fold_of: list[int]) -> None:
        folds = {f"case{i}": fold for i, fold in enumerate(fold_of)}
        splits = [
            {
                "train": [case for case in folds if folds[case] != fold],
                "val": [case for case in folds if folds[case] == fold],
            }
            for fold in range(3)
        ]
        assert list(split_findings(splits, list(folds))) == []

    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=8))
    def test_a_leak_is_found_exactly_where_a_patient_is_on_both_sides(self, drawn: list[tuple[int, int]]) -> None:
        patients = {f"case{i}": f"p{patient}" for i, (patient, _) in enumerate(drawn)}
        sides = {
            part: [f"case{i}" for i, (_, side) in enumerate(drawn) if side == place]
            for place, part in enumerate(("train", "val"))
        }
        leaking = {p for p in patients.values() if {s for q, s in drawn if f"p{q}" == p} == {0, 1}}
        found = list(patient_findings([sides], patients, list(patients), ""))
        assert {patients[finding.cases[0]] for finding in found} == leaking
        assert len(found) == len(leaking)

    def test_a_case_that_the_only_fold_does_not_know_is_remarked(self) -> None:
        found = list(split_findings([{"train": ["a"], "val": ["b"]}], ["a", "b", "c"]))
        assert [(finding.grade, finding.cases) for finding in found] == [("remark", ("c",))]

    def test_a_group_in_the_pattern_is_the_patient(self) -> None:
        assert patients_by_pattern(["ab12_x", "ab3_y", "z"], r"ab(\d+)") == {"ab12_x": "12", "ab3_y": "3"}


@given(st.floats(-1e7, 1e7))
def test_numbers_are_told_to_half_a_percent(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, rel=0.006, abs=1e-9)


def test_the_verdict_counts_each_grade() -> None:
    found = [*case_findings(record(voxels={0: 1, 7: 2}), DATASET), *case_findings(record(voxels={0: 1}), DATASET)]
    assert verdict([*found, *found]) == "2 problems and 2 remarks."
    assert verdict([]) == "Nothing found."
