"""nnU-Net's summary of a fold's validation, believed only where its numbers can be true."""

import ast
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from nnunet_skipx.nnunet.json_files import SUMMARY
from nnunet_skipx.system.json_files import UnfitError, all_of, read_json, unique
from nnunet_skipx.system.names import unfit_name

LabelKey = int | tuple[int, ...]
Scores = dict[LabelKey, Mapping[str, float]]
ROUNDING = 1e-6  # of a Dice against TP, FP and FN


def read_summary(path: Path, file_ending: str, cure: str) -> dict[str, Scores]:
    """By case, in the file's order, nnU-Net's metrics of each label.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not such, or its numbers cannot be; names the file, the case, what stood there, and the cure.
    """
    content = read_json(path, all_of(SUMMARY, _possible), cure)
    cases = content["metric_per_case"]
    return {case_name(case, file_ending): scores_of(case) for case in cases}


def case_name(case: Mapping[str, Any], file_ending: str = "") -> str:
    """Of an entry of metric_per_case."""
    return Path(case["prediction_file"]).name.removesuffix(file_ending)


def scores_of(case: Mapping[str, Any]) -> Scores:
    """The metrics of one case by label, or by the labels of a region, which nnU-Net writes as "(1, 2)"."""
    return {label_key(key): metrics for key, metrics in case["metrics"].items()}


def label_key(key: str) -> LabelKey:
    """`"2"` and `"(1, 2)"` as numbers; UnfitError for another key."""
    found: LabelKey | None
    try:
        found = ast.literal_eval(key)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    numbers = found if isinstance(found, tuple) else (found,)
    as_written = str(found) == key  # by nnU-Net; else a label might have two keys
    are_labels = as_written and numbers and all(type(number) is int and number >= 0 for number in numbers)
    if found is None or not are_labels:
        raise UnfitError(key, "a label's number, or several as in (1, 2)", "metrics")
    return found


def _possible(content: Mapping[str, Any]) -> None:
    """Each case once, with the labels of all others, and with a Dice that follows from its TP, FP and FN."""
    cases = content["metric_per_case"]
    for position, case in enumerate(cases):
        if unfit_name(case_name(case)):
            where = f"metric_per_case[{position}].prediction_file"
            raise UnfitError(case["prediction_file"], "a path that ends in a case's file", where)
    unique([case_name(case) for case in cases], "case", "metric_per_case")
    labels = {key for case in cases for key in scores_of(case)}
    for case in cases:
        if missing := labels - scores_of(case).keys():
            where = f"metric_per_case, {case_name(case)}, metrics"
            raise UnfitError(list(case["metrics"]), f"also the label {_first(missing)}, which other cases have", where)
        for key, metrics in case["metrics"].items():
            _consistent(metrics, f"metric_per_case, {case_name(case)}, label {key}")


def _first(labels: Collection[LabelKey]) -> LabelKey:
    return min(labels, key=str)


def _consistent(metrics: Mapping[str, float], where: str) -> None:
    """Dice is 2 TP / (2 TP + FP + FN), NaN for 0 / 0, where nnU-Net wrote those."""
    if not {"TP", "FP", "FN"} <= metrics.keys():
        return
    voxels = 2 * metrics["TP"] + metrics["FP"] + metrics["FN"]
    expected, dice = (2 * metrics["TP"] / voxels if voxels else math.nan), metrics["Dice"]
    if math.isnan(expected) != math.isnan(dice) or abs(expected - dice) > ROUNDING:
        words = f"{expected:.6g}, which follows from TP {metrics['TP']:g}, FP {metrics['FP']:g}, FN {metrics['FN']:g}"
        raise UnfitError(dice, words, f"{where}, Dice")
