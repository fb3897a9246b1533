"""What is bad is refused before nnU-Net's own check, whose pool takes seconds."""

import pytest
from nnunetv2.experiment_planning import verify_dataset_integrity as module


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "verify_dataset_integrity", lambda folder, processes: None)
