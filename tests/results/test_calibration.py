"""Calibration: equal to a naive rendering, perfect where it should be, from the files that nnU-Net itself writes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.inference.export_prediction import export_prediction_from_logits
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_skipx.report.command import ReportOptions, report
from nnunet_skipx.results.calibration import BINS, brier_score, calibration, calibration_error
from nnunet_skipx.results.label_maps import label_map_metrics
from nnunet_skipx.results.study import read_study
from nnunet_skipx.results.summary import LabelKey
from nnunet_skipx.results.wanted import CALIBRATION, Wanted
from tests.made_up_study import DATASET, DATASET_JSON, FOLDS, SHAPE, TRAINERS, Study, label_map
from tests.plan_shapes import PlanShape, dataset_json, plans

LABELS: dict[LabelKey, str] = {1: "core", 2: "rim"}
REGIONS: dict[LabelKey, str] = {(1, 2): "whole", 2: "rim"}
GRID = (3, 4, 5)
SEEDS = st.integers(0, 10_000)


def softmax(seed: int, shape: tuple[int, ...] = (3, *GRID)) -> np.ndarray:
    weights = np.random.default_rng(seed).gamma(0.5, size=shape)
    return weights / weights.sum(0)


def reference_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, GRID)


def written(folder: Path, probabilities: np.ndarray) -> Path:
    path = folder / "case.npz"
    np.savez_compressed(path, probabilities=probabilities)
    return path


def naive(probabilities: np.ndarray, reference: np.ndarray, regions: bool) -> dict[tuple[str, str], float]:
    """Voxel by voxel; label 3 is ignored."""
    values = {}
    for channel, (key, name) in enumerate((REGIONS if regions else LABELS).items()):
        ids = key if isinstance(key, tuple) else (key,)
        bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
        squares = []
        for index in np.ndindex(*GRID):
            if reference[index] == 3:
                continue
            p = probabilities[(channel if regions else key, *index)]
            truth = reference[index] in ids
            squares.append((p - truth) ** 2)
            if p > 0.5 if regions else p == max(probabilities[(slice(None), *index)]):
                bins[min(int(p * BINS), BINS - 1)].append((p, truth))
        said = sum(map(len, bins))
        gaps = [abs(np.mean([p for p, _ in one]) - np.mean([hit for _, hit in one])) * len(one) for one in bins if one]
        values[name, CALIBRATION[0]] = sum(gaps) / said if said else float("nan")
        values[name, CALIBRATION[1]] = 1000 * np.mean(squares)
    return values


@pytest.mark.parametrize("regions", [False, True])
def test_equal_to_a_naive_rendering(tmp_path: Path, regions: bool) -> None:
    for seed in range(8):
        p = np.random.default_rng(seed).random((2, *GRID)) if regions else softmax(seed)
        found = calibration(written(tmp_path, p), reference_of(seed), REGIONS if regions else LABELS, 3)
        expected = naive(p, reference_of(seed), regions)
        assert found.keys() == expected.keys()
        np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_who_is_certain_and_right_is_perfect(tmp_path: Path, dtype: type) -> None:
    reference = np.random.default_rng(0).integers(0, 3, GRID)
    certain = np.stack([reference == label for label in range(3)]).astype(dtype)
    assert set(calibration(written(tmp_path, certain), reference, LABELS, None).values()) == {0.0}
    wrong = certain[[1, 2, 0]]
    values = calibration(written(tmp_path, wrong), reference, LABELS, None)
    assert values["core", CALIBRATION[0]] == 1 and values["core", CALIBRATION[1]] > 500


@given(SEEDS, st.floats(0.05, 0.95))
def test_a_forecast_that_comes_true_as_often_as_it_says_has_no_error(seed: int, p: float) -> None:
    n = 10_000
    truth = np.arange(n) < round(p * n)
    said = np.full(n, round(p * n) / n)
    assert calibration_error(said, np.random.default_rng(seed).permutation(truth)) == pytest.approx(0, abs=1e-9)
    assert calibration_error(1 - said, truth) == pytest.approx(abs(1 - 2 * said[0]), abs=1e-9)


@given(SEEDS)
def test_no_forecast_beats_the_true_probability_in_the_long_run(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.random(20_000)
    truth = rng.random(20_000) < p
    assert brier_score(p, truth) < min(brier_score(np.clip(p + by, 0, 1), truth) for by in (-0.15, 0.15))


def test_the_order_of_voxels_does_not_matter(tmp_path: Path) -> None:
    p, reference = softmax(1), reference_of(1)
    plain = calibration(written(tmp_path, p), reference, LABELS, 3)
    turned = calibration(written(tmp_path, p.transpose(0, 3, 1, 2)), reference.transpose(2, 0, 1), LABELS, 3)
    np.testing.assert_allclose(list(turned.values()), list(plain.values()), rtol=1e-12)


def test_where_nothing_is_said_there_is_no_error_but_a_score(tmp_path: Path) -> None:
    p = np.zeros((3, *GRID))
    p[0] = 1
    values = calibration(written(tmp_path, p), np.ones(GRID, int), LABELS, None)
    assert np.isnan(values["core", CALIBRATION[0]]) and values["core", CALIBRATION[1]] == 1000
    assert np.isnan(list(calibration(None, np.ones(GRID, int), LABELS, None).values())).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"PK no zip", "cannot be read"),
        ((2, *GRID), r"shape \(2, 3, 4, 5\), not \(3, 3, 4, 5\)"),
    ],
)
def test_broken_files_are_named_with_the_cure(tmp_path: Path, content: bytes | tuple, message: str) -> None:
    path = written(tmp_path, np.zeros(content if isinstance(content, tuple) else (3, *GRID)))
    if isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"(?s)Probabilities .*case.npz.*{message}.*--val --npz"):
        calibration(path, np.zeros(GRID, int), LABELS, None)
    np.savez(path, softmax=np.zeros(1))
    with pytest.raises(ValueError, match="cannot be read"):
        calibration(path, np.zeros(GRID, int), LABELS, None)


def certainty(label: np.ndarray, p: float) -> np.ndarray:
    """Probabilities (class, z, y, x) of which the predicted label has p, the others share the rest."""
    return np.stack([np.where(label == one, p, (1 - p) / 2) for one in range(3)]).astype(np.float16)


@pytest.fixture
def with_npz(study: Study, tmp_path: Path) -> list[Path]:
    """The made-up study, whose first row says 0.9 of everything and whose second one 0.6."""
    folders = []
    for trainer, folder in study.model_folders.items():
        copy = Path(shutil.copytree(folder, tmp_path / "results" / DATASET / folder.name))
        for path in copy.glob("fold_*/validation/*.nii.gz"):
            number = int(path.name[5:7])
            predicted = label_map(number, 1 if trainer == TRAINERS[0] else 2 * (number % 2))
            npz = path.with_name(path.name.replace(".nii.gz", ".npz"))
            np.savez_compressed(npz, probabilities=certainty(predicted, 0.9 if trainer == TRAINERS[0] else 0.6))
        folders.append(copy)
    return folders


def test_the_report_has_a_table_of_calibration(study: Study, with_npz: list[Path], tmp_path: Path) -> None:
    out, options = tmp_path / "out", ReportOptions(calibration=True, references=study.labels)
    text = report([with_npz], FOLDS, out, options)
    page = (out / "report.html").read_text()
    assert "Calibration" in page and "ECE (10 bins)" in page and "no probabilities" not in text
    lines = json.loads((out / "report.json").read_text())["comparisons"][0]["other_metrics"]
    ece = {line["row"]: line for line in lines if line["metric"] == CALIBRATION[0]}
    assert {line["better"] for line in ece.values()} == {"lower"}
    # Of the first row 5/6 of a block of 6 x 8 pixels are right, and 3/4 of one of 4 x 8; it said 0.9.
    assert ece[TRAINERS[0]]["mean"]["value"] == pytest.approx(0.1, abs=0.03)


def test_cases_without_probabilities_are_counted_and_without_any_there_is_no_metric(
    study: Study, with_npz: list[Path], tmp_path: Path
) -> None:
    checked = read_study(with_npz, FOLDS, allow_missing=False)

    def measured() -> tuple[pd.DataFrame, list[str]]:
        wanted = Wanted(calibration=True)
        return label_map_metrics(
            checked.models, checked.table, study.labels, DATASET_JSON, wanted, tmp_path / "maps.json"
        )

    for path in with_npz[1].glob("fold_0/validation/*.npz"):
        path.unlink()
    table, (told,) = measured()
    assert told == "4 of 24 predictions have no probabilities: nnUNetv2_train ... --val --npz writes them."
    brier = table[table["metric"] == CALIBRATION[1]]
    assert set(brier.loc[brier["value"].isna(), "fold"]) == {0} and brier["value"].isna().sum() == 8
    for folder in with_npz:
        for path in folder.glob("fold_*/validation/*.npz"):
            path.unlink()
    table, (told,) = measured()
    assert told.startswith("24 of 24 predictions") and not set(CALIBRATION) & set(table["metric"])


@pytest.mark.parametrize("regions", [False, True])
def test_nnunets_own_file_is_read_voxel_for_voxel(tmp_path: Path, regions: bool) -> None:
    """As nnUNetv2_train --npz exports a validation case: softmax, or sigmoids in the order of the regions."""
    description = dataset_json(3)
    if regions:
        description |= {"labels": {"background": 0, "whole": [1, 2], "rim": 2}, "regions_class_order": [1, 2]}
    manager = PlansManager(plans(PlanShape(SHAPE, (1, 1, 1), 3)))
    truth = torch.from_numpy(label_map(0, 0)).long()
    members = [(truth > 0), (truth == 2)] if regions else [truth == label for label in range(3)]
    logits = torch.stack([torch.where(member, 4.0, -4.0) for member in members])
    properties = {
        "spacing": [1.0, 1.0, 1.0],
        "shape_before_cropping": SHAPE,
        "bbox_used_for_cropping": [[0, length] for length in SHAPE],
        "shape_after_cropping_and_before_resampling": SHAPE,
        "sitk_stuff": {"spacing": (1.0,) * 3, "origin": (0.0,) * 3, "direction": tuple(np.eye(3).ravel())},
    }
    configuration = manager.get_configuration("test")
    configuration.configuration |= {
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
    }
    export_prediction_from_logits(
        logits, properties, configuration, manager, description, str(tmp_path / "case"), save_probabilities=True
    )
    labels: dict[LabelKey, str] = REGIONS if regions else LABELS
    values = calibration(tmp_path / "case.npz", truth.numpy(), labels, None)
    sure = 1 / (1 + np.exp(-4)) if regions else np.exp(4) / (np.exp(4) + 2 * np.exp(-4))
    for name in labels.values():
        assert values[name, CALIBRATION[0]] == pytest.approx(1 - sure, abs=1e-3)
