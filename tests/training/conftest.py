"""Empty nnU-Net folders with the test plans' data set in them."""

from pathlib import Path

import pytest


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    preprocessed = tmp_path / "nnUNet_preprocessed" / "Dataset998_Test" / "nnUNetPlans_test"
    preprocessed.mkdir(parents=True)
    (preprocessed / "case.b2nd").touch()  # nnU-Net tells the kind of data set by its files
    return tmp_path
