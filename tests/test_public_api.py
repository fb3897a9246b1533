"""The page of public names is true: each exists, and what plans and checkpoints name is on it."""

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from nnunet_skipx.architectures import NETWORKS, U2Net

PAGE = (Path(__file__).parents[1] / "docs" / "public_api.md").read_text()
PROMISED = {
    path: re.findall(r"`(\w+)`", arguments)
    for path, arguments in re.findall(r"^\| `(nnunet_skipx[\w.]+)` \| (.*) \|$", PAGE, re.MULTILINE)
}
FROM_PLANS = inspect.signature(U2Net).parameters.keys() - {"convolutions", "strided", "residual"}


def found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("path", re.findall(r"`(nnunet_skipx\.[\w.]+\.\w+)[`(]", PAGE))
def test_every_name_on_the_page_can_be_imported(path: str) -> None:
    assert found(path)


def test_every_network_is_on_the_page() -> None:
    assert {path.rpartition(".")[2] for path in PROMISED} == NETWORKS.keys(), "give it a row in public_api.md"


@pytest.mark.parametrize("path", PROMISED)
def test_a_networks_arguments_are_those_on_the_page(path: str) -> None:
    parameters = inspect.signature(found(path)).parameters.values()
    assert [p.name for p in parameters][:3] == ["input_channels", "num_classes", "deep_supervision"]
    by_name = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in FROM_PLANS]
    assert by_name == PROMISED[path]
