"""atlas: the baseline without a network."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nnunet_skipx.results.atlas import ATLAS, atlas_table, dice, predict
from nnunet_skipx.results.collect import COLUMNS
from tests.made_up_study import CASES, DATASET, DATASET_JSON, FOLDS, TRAINERS, Study, label_map, write_volume


def one_hot(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([array == value for value in range(3)])).float()


def test_the_table_has_a_row_per_fold_case_and_class(study: Study) -> None:
    table = atlas_table(study.labels, study.splits, FOLDS, DATASET_JSON, DATASET)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == len(CASES) * 2 and set(table["label"]) == {"Anterior", "Posterior"}
    assert set(table["row"]) == {ATLAS}
    assert set(table[table["fold"] == 1]["case"]) == set(study.splits[1]["val"])


def test_equal_label_maps_are_predicted_perfectly_but_for_the_odd_one(study: Study) -> None:
    table = atlas_table(study.labels, study.splits, FOLDS, DATASET_JSON, DATASET)
    odd = table["case"] == "case_03"
    assert (table[~odd]["value"] == 1).all()
    assert table[odd & (table["label"] == "Posterior")]["value"].item() == 0  # predicted, but not in the reference


def test_the_majority_of_the_training_cases_wins() -> None:
    maps = [one_hot(label_map(0, shift)) for shift in (0, 0, 2)]
    assert (predict(maps, label_map(0, 0).shape, [0, 1, 2]) == label_map(0, 0)).all()


def test_maps_are_stretched_to_the_shape_of_the_case() -> None:
    small = label_map(0, 0)
    large = small.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    predicted = predict([one_hot(small)], large.shape, [0, 1, 2])
    assert (predicted == large).mean() > 0.99
    assert predicted.shape == large.shape


def test_stretching_is_linear() -> None:
    short, long = (one_hot(np.array(values).reshape(1, 1, -1))[:2] for values in ([1, 0], [1, 0, 0]))
    # In the middle each short map votes one half for the label: 1 vote against 2 for background.
    assert predict([short, short, long], (1, 1, 3), [0, 1]).ravel().tolist() == [1, 0, 0]


def test_label_values_need_not_be_consecutive() -> None:
    array = label_map(0, 0)
    assert set(np.unique(predict([one_hot(array)], array.shape, [0, 4, 9]))) == {0, 4, 9}


def test_dice_equals_nnunets_own(study: Study) -> None:
    summary = json.loads((study.model_folder(TRAINERS[0]) / "fold_0" / "validation" / "summary.json").read_text())
    assert summary["metric_per_case"]
    for case in summary["metric_per_case"]:
        number = CASES.index(Path(case["prediction_file"]).name[: -len(".nii.gz")])
        for key in (1, 2):
            ours = dice(label_map(number, 0), label_map(number, 1), key, None)
            np.testing.assert_equal(ours, case["metrics"][str(key)]["Dice"])


def test_voxels_to_ignore_do_not_count() -> None:
    reference, prediction = np.array([1, 1, 3, 3]), np.array([1, 0, 1, 1])
    assert dice(reference, prediction, 1, ignore_label=3) == pytest.approx(2 / 3)
    assert dice(reference, prediction, 1, ignore_label=None) == pytest.approx(2 / 5)


def test_regions_and_the_ignore_label_are_scored_as_nnunet_does(tmp_path: Path) -> None:
    for number, case in enumerate("abc"):
        write_volume(tmp_path / f"{case}.nii.gz", label_map(number, 0))
    dataset_json = {"labels": {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}, "file_ending": ".nii.gz"}
    table = atlas_table(tmp_path, [{"train": ["a", "b"], "val": ["c"]}], [0], dataset_json, DATASET)
    assert table.set_index("label")["value"].to_dict() == {"whole": 1.0, "core": 1.0}


def test_a_missing_label_map_is_named(study: Study, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"case_\d\d\.nii\.gz is missing.*nnUNetv2_preprocess"):
        atlas_table(tmp_path, study.splits, FOLDS, DATASET_JSON, DATASET)
