"""Counts of networks are kept for next time, until something changes that they follow from."""

import json
from pathlib import Path

import pytest

from nnunet_skipx.discovery import EXT_VARIABLE, ext_path
from nnunet_skipx.results.counted_networks import key_of
from nnunet_skipx.results.row_cost import counted, network_of
from tests.contract import SMALL
from tests.plan_shapes import dataset_json, plans
from tests.results.test_row_cost import TRAINER, model_folder


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "nnunet_skipx" / "networks.json"


def test_a_count_is_taken_from_the_cache_as_long_as_nothing_changed(tmp_path: Path, kept: Path) -> None:
    folder = model_folder(tmp_path)
    first = network_of(folder)
    assert first.cost == counted(folder) and first.claimed
    content = json.loads(kept.read_text())
    (network,) = content["networks"].values()
    network["cost"]["parameters"] = 7
    kept.write_text(json.dumps(content))
    assert network_of(folder).cost.parameters == 7, "it was not counted again"
    for other in (content | {"made from": "another version"}, {"made from": 1}):
        kept.write_text(json.dumps(other))
        assert network_of(folder) == first
    other = model_folder(tmp_path, f"{TRAINER}_twin")
    assert network_of(other).removed and network_of(folder) == first, "each has its own"
    assert len(json.loads(kept.read_text())["networks"]) == 2


def test_a_home_that_cannot_be_written_to_costs_nothing_else(tmp_path: Path, kept: Path) -> None:
    kept.parent.write_text("a file")
    folder = model_folder(tmp_path, "nnUNetTrainer")
    assert network_of(folder).cost == counted(folder)


def test_what_may_change_unnoticed_is_counted_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = (plans(SMALL), "test", dataset_json())
    assert key_of(TRAINER, *about) != key_of(f"{TRAINER}_twin", *about) is not None
    assert key_of("nnUNetTrainerMine", *about) is None
    foreign = plans(SMALL)
    foreign["configurations"]["test"]["architecture"]["network_class_name"] = "mine.Network"
    assert key_of(TRAINER, foreign, *about[1:]) is None
    monkeypatch.setenv(EXT_VARIABLE, f"{tmp_path}:{ext_path()}")
    assert key_of(TRAINER, *about) is None, "a folder of the user's may have a trainer of that name"
