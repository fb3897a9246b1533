"""Every JSON file is read by a rule: another one ends in one sentence with file, key, what stood there, and cure."""

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.inspection.records import FOUND
from nnunet_skipx.nnunet import json_files
from nnunet_skipx.results.row_cost import PROFILE
from nnunet_skipx.results.summary import read_summary
from nnunet_skipx.system.json_files import integer, list_of, name, number, object_of, read_json, record, text
from tests.contract import SMALL
from tests.plan_shapes import dataset_json, plans

PACKAGE = Path(__file__).parents[2] / "nnunet_skipx"
SCORES = {"Dice": 0.8, "IoU": 2 / 3, "TP": 4, "FP": 1, "FN": 1, "TN": 9, "n_pred": 5, "n_ref": 5}
SUMMARY = {
    "metric_per_case": [
        {"prediction_file": f"/x/{case}.nii.gz", "metrics": {"1": dict(SCORES), "(1, 2)": dict(SCORES)}}
        for case in "ab"
    ],
    "foreground_mean": {"Dice": 0.8},
}
GOOD: dict[str, tuple[Any, Callable[[Path], Any]]] = {
    "plans": (plans(SMALL), json_files.read_plans),
    "dataset": (dataset_json(), json_files.read_dataset_json),
    "splits": ([{"train": ["a", "b"], "val": ["c"]}], json_files.read_splits),
    "summary": (SUMMARY, lambda path: read_summary(path, ".nii.gz", "validate again")),
    "mean Dice": ({"foreground_mean": {"Dice": 0.5}}, json_files.read_mean_dice),
    "debug": ({"num_epochs": "1000", "device": "cuda:0"}, json_files.read_debug),
    "domains": (
        {
            "dataset": "Dataset500_U",
            "plans": "nnUNetPlans",
            "sampling": "sqrt",
            "feature_scale": 1.0,
            "fingerprints": {"Dataset004_A": {"3d_fullres": {"plans": "af"}}},
        },
        json_files.read_domains,
    ),
    "fingerprint": (
        {
            "spacings": [[1.0, 1.0, 1.0]],
            "shapes_after_crop": [[10, 12, 14]],
            "foreground_intensity_properties_per_channel": {"0": {"mean": 3.0}},
        },
        lambda path: json_files.read_fingerprint(path, "make it again"),
    ),
    "provenance": ({"files": {"a.nii": "af"}, "patients": {"a": "p1"}}, json_files.read_provenance),
    "inspection": (
        {
            "cases": {"a": {"intact": 0.5, "zeroed": [0.5], "other": None}},
            "routing": {},
            "attention": {},
            "gates": {"g": {"spread": None}},
            "pairs": [2],
        },
        lambda path: read_json(path, FOUND, "inspect again"),
    ),
    "profile": (
        {
            "header": {"dataset": "D", "plans": "P", "configuration": "2d"},
            "trainers": [{"trainer": "T", "training_memory_mb": 3.5}],
        },
        lambda path: read_json(path, PROFILE, "profile again"),
    ),
}
OTHER = ["{", "", "null", "[]", "3", "true", '"text"', "[null]", "NaN", "[" * 100_000, "\ufeff{}", "1" * 5000]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def read(path: Path, content: Any, reader: Callable[[Path], Any]) -> Any:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return reader(path)


def assert_one_sentence(path: Path, content: Any, reader: Callable[[Path], Any]) -> str:
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}") as caught:
        read(path, content, reader)
    message = str(caught.value)
    assert len(message.splitlines()) == 1 and len(message) < 700
    assert re.search(r": (copy|restore|make|validate|inspect|profile)", message), message
    assert "delete" not in message.lower(), "a cure does no harm"
    return message


def places(content: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path to every value inside."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from places(value, (*path, key))


@pytest.mark.parametrize("kind", GOOD)
def test_what_nnunet_and_we_write_is_read_as_it_stands(kind: str, tmp_path: Path) -> None:
    content, reader = GOOD[kind]
    found = read(tmp_path / "a.json", content, reader)
    if kind == "summary":
        assert found == {case: {1: SCORES, (1, 2): SCORES} for case in "ab"}
    elif kind == "mean Dice":
        assert found == 0.5
    else:
        assert found == content


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("content", OTHER, ids=lambda text: text[:12])
def test_something_else_is_named(kind: str, content: str, tmp_path: Path) -> None:
    if kind in ("debug", "provenance") and content == "{}":
        return
    assert_one_sentence(tmp_path / "a.json", content, GOOD[kind][1])


@pytest.mark.parametrize("kind", GOOD)
def test_bytes_and_folders_are_named(kind: str, tmp_path: Path) -> None:
    reader = GOOD[kind][1]
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x81")
    with pytest.raises(ValueError, match=r"a\.json is not valid JSON"):
        reader(tmp_path / "a.json")
    with pytest.raises(FileNotFoundError, match=r"b\.json is missing: "):
        reader(tmp_path / "b.json")
    (tmp_path / "c.json").mkdir()
    with pytest.raises(ValueError, match=r"c\.json is a folder, expected a JSON file: "):
        reader(tmp_path / "c.json")


@pytest.mark.parametrize("kind", GOOD)
def test_a_value_of_another_kind_is_named_with_its_key_or_does_no_harm(kind: str, tmp_path: Path) -> None:
    """Every value in turn becomes an object that nothing expects; keys that nobody reads may hold it."""
    content, reader = GOOD[kind]
    refused = 0
    for place in places(content):
        changed = deepcopy(content)
        inside = changed
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = {"unexpected": [None]}
        try:
            read(tmp_path / "a.json", changed, reader)
        except ValueError:
            message = assert_one_sentence(tmp_path / "a.json", changed, reader)
            assert str(place[0]) in message
            refused += 1
    assert refused >= (len(list(places(content))) if kind not in ("plans", "summary") else 8)


@given(content=ANY_JSON)
def test_no_content_ends_in_anything_but_a_sentence(content: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    for _, reader in GOOD.values():
        try:
            read(path, json.dumps(content), reader)
        except ValueError:
            assert_one_sentence(path, json.dumps(content), reader)


@pytest.mark.parametrize(
    ("rule", "value", "words"),
    [
        (integer(0, 5), True, "the file is true, expected a whole number from 0 to 5"),
        (integer(0, 5), 2.0, "the file is 2.0, expected a whole number"),
        (integer(0, 5), 6, "is 6, expected a whole number from 0 to 5"),
        (number(0, 1), float("nan"), "is NaN, expected a number from 0 to 1"),
        (number(0, 1, or_nan=True), float("inf"), "is Infinity, expected a number from 0 to 1 or NaN"),
        (number(0, 1), "0.5", 'is "0.5", expected a number'),
        (number(0, 1), False, "is false, expected a number"),
        (text, "a\nb", "expected a text on one line"),
        (text, "a\x1b[2Jb", "expected a text on one line"),
        (name, "../../escaped", "expected a name"),
        (record({"a": integer(0, 1)}), {}, "a is missing, expected a whole number"),
        (record({"a": object_of(list_of(integer(0, 1)))}), {"a": {"b": [0, 7]}}, r"a\.b\[1\] is 7, expected"),
        (object_of(text, keys=name), {"x/y": "z"}, r'the key "x/y" is "x/y", expected a name'),
    ],
)
def test_a_rule_says_where_and_what(rule: Any, value: Any, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(ValueError, match=words):
        read_json(tmp_path / "a.json", rule)


def test_a_long_value_is_told_by_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(["x"] * 1000))
    with pytest.raises(ValueError, match=r'is \["x", "x",[^:]*\.\.\., expected a text'):
        read_json(tmp_path / "a.json", text)


CHANGES: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a circle of configurations": (
        "plans",
        lambda c: c["configurations"]["test"].update(inherits_from="test"),
        r'configurations\.test\.inherits_from is "test", expected another configuration',
    ),
    "a configuration that inherits nothing": (
        "plans",
        lambda c: c["configurations"]["test"].update(inherits_from="3d"),
        'inherits_from is "3d"',
    ),
    "a data set outside": ("plans", lambda c: c.update(dataset_name="../../x"), "dataset_name is .*expected a name"),
    "no ending": ("dataset", lambda c: c.update(file_ending=None), "file_ending is null, expected a file ending"),
    "an ending outside": ("dataset", lambda c: c.update(file_ending="/../x"), "file_ending is"),
    "a negative label": ("dataset", lambda c: c["labels"].update(class1=-1), r"labels\.class1 is -1"),
    "a superscript": ("dataset", lambda c: c["labels"].update(class1="²"), r"labels\.class1 is"),
    "a case twice": ("splits", lambda c: c[0]["val"].append("a"), 'is "a", expected every case once'),
    "a case outside": ("splits", lambda c: c[0]["val"].append("../a"), r"\[0\]\.val\[1\] is "),
    "no fold": ("splits", lambda c: c.clear(), "expected a list with a fold"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_named_with_its_key(change: str, tmp_path: Path) -> None:
    kind, make, words = CHANGES[change]
    content = deepcopy(GOOD[kind][0])
    make(content)
    assert re.search(words, assert_one_sentence(tmp_path / "a.json", content, GOOD[kind][1]))


IMPOSSIBLE: dict[str, tuple[Callable[[dict], Any], str]] = {
    "5": (lambda m: m["1"].update(Dice=5), r"Dice is 5, expected a number from 0 to 1 or NaN"),
    "-1": (lambda m: m["1"].update(Dice=-1), "Dice is -1,"),
    "true": (lambda m: m["1"].update(Dice=True), "Dice is true,"),
    "text": (lambda m: m["1"].update(Dice="0.9"), 'Dice is "0.9",'),
    "infinity": (lambda m: m["1"].update(Dice=float("inf")), "Dice is Infinity,"),
    "none": (lambda m: m["1"].pop("Dice"), "Dice is missing,"),
    "another than TP, FP, FN": (
        lambda m: m["1"].update(Dice=0.9),
        r"b\.nii\.gz, label 1, Dice is 0\.9, expected 0\.8",
    ),
    "a number for 0 / 0": (lambda m: m["1"].update(TP=0, FP=0, FN=0), "b.nii.gz, label 1, Dice is 0.8, expected nan"),
    "NaN for a number": (lambda m: m["1"].update(Dice=float("nan")), "Dice is NaN, expected 0.8"),
    "a negative count": (lambda m: m["1"].update(TP=-4), "TP is -4,"),
    "a label missing": (
        lambda m: m.pop("1"),
        "metric_per_case, b.nii.gz, metrics is .* also the label 1",
    ),
    "a label of its own": (lambda m: m.update({"7": SCORES}), "a.nii.gz, metrics is .* also the label 7"),
    "a label of another kind": (lambda m: m.update({"liver": SCORES}), 'metrics is "liver", expected a label'),
    "code as a label": (lambda m: m.update({"__import__('os')": SCORES}), "expected a label"),
}


@pytest.mark.parametrize("change", IMPOSSIBLE)
def test_an_impossible_summary_is_refused_with_its_case(change: str, tmp_path: Path) -> None:
    make, words = IMPOSSIBLE[change]
    content = deepcopy(SUMMARY)
    make(content["metric_per_case"][1]["metrics"])
    assert re.search(words, assert_one_sentence(tmp_path / "a.json", content, GOOD["summary"][1]))


def test_a_case_that_is_scored_twice_is_refused(tmp_path: Path) -> None:
    content = deepcopy(SUMMARY)
    content["metric_per_case"].append(content["metric_per_case"][0])
    assert "every case once" in assert_one_sentence(tmp_path / "a.json", content, GOOD["summary"][1])


def test_json_is_read_in_one_place() -> None:
    """Except what a child of ours printed or a function of ours was given as an argument, and what pip noted."""
    ours = {"system/json_files.py", "environment/probe.py", "bench/cell.py", "bench/train_cell.py"}
    ours |= {"results/predicted_cases.py", "environment/origin.py"}
    readers = re.compile(r"json\.loads?\(|load_json\(|load_summary_json\(|read_json\(orient")
    found = {str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py") if readers.search(p.read_text())}
    assert found == ours
