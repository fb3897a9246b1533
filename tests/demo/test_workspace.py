"""The demo's folder."""

import os
import shutil
from pathlib import Path

import pytest

from nnunet_skipx.demo.workspace import Workspace


def test_a_full_disk_is_refused_before_anything_is_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=50 * 2**20))
    with pytest.raises(OSError, match=r"50 MB free.*needs about 300 MB.*another disk"):
        Workspace(tmp_path).require_space(tmp_path)


def test_planning_never_sees_the_worker_count_that_crashes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")
    environment = Workspace(tmp_path).planning_environment()
    assert "nnUNet_n_proc_DA" not in environment
    assert environment["PATH"] == os.environ["PATH"]
