"""The examples in docstrings are true."""

import doctest
import importlib

import pytest

MODULES = ["nnunet.names", "nnunet.trainer_name", "report.twins"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"nnunet_skipx.{name}"))
    assert result.attempted
    assert not result.failed
