"""Damaged checkpoints are recognised and set aside, the one before takes over, and reading one runs nothing."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnunet_skipx.nnunet.checkpoints import (
    NEEDED,
    TRUST,
    DamagedCheckpointError,
    checkpoint_draft,
    read_checkpoint,
    set_damaged_aside,
)


def content(epoch: int = 3) -> dict[str, Any]:
    """As nnU-Net saves it, with numpy's numbers in the log."""
    return {
        "network_weights": {str(n): torch.full((500,), float(n)) for n in range(5)},
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.ones(500)}}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.5)], "train_losses": [np.float32(0.1)], "lrs": np.zeros(3)},
        "_best_ema": np.float64(0.25),
        "current_epoch": epoch,
        "init_args": {"plans": {"a": [1, None, True]}, "fold": 0, "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
    }


@pytest.fixture
def fold(tmp_path: Path) -> Path:
    """A fold with three checkpoints."""
    for epoch, name in enumerate(("best", "previous", "latest")):
        torch.save(content(epoch), tmp_path / f"checkpoint_{name}.pth")
    return tmp_path


def epoch_of(path: Path) -> int:
    return int(read_checkpoint(path)["current_epoch"])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def damage(path: Path, kind: str) -> None:
    data = bytearray(path.read_bytes())
    if kind.startswith("cut to "):
        del data[int(kind[7:]) :]
    elif kind == "zeros":
        data[:] = bytes(len(data))
    elif kind == "zeros at the end":
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    elif kind == "text":
        data[:] = b"<html>not found</html>"
    elif kind.startswith("a bit at "):
        data[int(float(kind[9:]) * len(data))] ^= 4
    path.write_bytes(data)


KINDS = ["cut to 0", "cut to 1", "cut to 500", "cut to 5000", "cut to -1", "zeros", "zeros at the end", "text"]
KINDS += [f"a bit at {share}" for share in (0.3, 0.5, 0.7)]  # in the numbers of a tensor


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_checkpoint_is_named_with_a_cure_that_does_no_harm(fold: Path, kind: str) -> None:
    path = fold / "checkpoint_latest.pth"
    damage(path, kind)
    with pytest.raises(DamagedCheckpointError, match=rf"{path} cannot be read .*: copy it again, or move it away"):
        read_checkpoint(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_latest_checkpoint_is_set_aside_and_the_one_before_takes_over(fold: Path, kind: str) -> None:
    damage(fold / "checkpoint_latest.pth", kind)
    told = set_damaged_aside(fold)
    assert [sentence.split(":")[0] for sentence in told] == [
        "set aside as checkpoint_latest.pth.damaged",
        "the checkpoint before, checkpoint_previous.pth, takes its place",
        "going on from checkpoint_latest.pth at epoch 1",
    ]
    assert names(fold) == ["checkpoint_best.pth", "checkpoint_latest.pth", "checkpoint_latest.pth.damaged"]
    assert epoch_of(fold / "checkpoint_latest.pth") == 1
    assert set_damaged_aside(fold) == []


@pytest.mark.parametrize("key", NEEDED)
def test_a_checkpoint_without_what_training_needs_is_set_aside(fold: Path, key: str) -> None:
    torch.save({name: value for name, value in content().items() if name != key}, fold / "checkpoint_latest.pth")
    first, *_ = set_damaged_aside(fold)
    assert f"no {key}" in first


def test_flipped_bits_are_found_wherever_they_change_something(fold: Path) -> None:
    path, draw = fold / "checkpoint_latest.pth", random.Random(0)
    good, expected = path.read_bytes(), content(2)
    for _ in range(150):
        data = bytearray(good)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        try:
            found = read_checkpoint(path, NEEDED)
        except DamagedCheckpointError:
            continue
        assert found["current_epoch"] == 2 and found["logging"]["mean_fg_dice"] == [0.5]
        for name, value in expected["network_weights"].items():
            assert torch.equal(found["network_weights"][name], value)


def test_whole_checkpoints_stay_and_are_read_as_they_were_written(fold: Path) -> None:
    assert set_damaged_aside(fold) == []
    found, expected = read_checkpoint(fold / "checkpoint_latest.pth", NEEDED), content(2)
    assert found.keys() == expected.keys()
    assert {k: v for k, v in found.items() if k in ("_best_ema", "init_args", "current_epoch")} == {
        k: v for k, v in expected.items() if k in ("_best_ema", "init_args", "current_epoch")
    }
    assert torch.equal(found["network_weights"]["3"], expected["network_weights"]["3"])


def test_a_damaged_final_checkpoint_leaves_the_best_one(tmp_path: Path) -> None:
    torch.save(content(), tmp_path / "checkpoint_best.pth")
    (tmp_path / "checkpoint_final.pth").touch()
    assert set_damaged_aside(tmp_path)[1:] == ["going on from checkpoint_best.pth at epoch 3"]
    assert names(tmp_path) == ["checkpoint_best.pth", "checkpoint_final.pth.damaged"]


def test_all_may_be_damaged(fold: Path) -> None:
    for path in fold.iterdir():
        path.write_bytes(b"")
    assert set_damaged_aside(fold)[-1] == "the training begins again at epoch 0"
    assert all(name.endswith(".damaged") for name in names(fold))


def test_the_latest_before_the_latest_is_kept_until_the_final_one(tmp_path: Path) -> None:
    for epoch in range(4):
        with checkpoint_draft(tmp_path / "checkpoint_latest.pth") as draft:
            torch.save(content(epoch), draft)
        kept = {path.stem.split("_")[1]: epoch_of(path) for path in tmp_path.iterdir()}
        assert kept == ({"latest": epoch, "previous": epoch - 1} if epoch else {"latest": 0})
    with checkpoint_draft(tmp_path / "checkpoint_final.pth") as draft:
        torch.save(content(4), draft)
    assert names(tmp_path) == ["checkpoint_final.pth", "checkpoint_latest.pth"]  # nnU-Net removes that itself


def test_a_draft_that_fails_changes_nothing(fold: Path) -> None:
    before = {path: path.read_bytes() for path in fold.iterdir()}
    with pytest.raises(OSError, match="full"), checkpoint_draft(fold / "checkpoint_latest.pth") as draft:
        draft.write_bytes(b"half")
        raise OSError("full")
    assert {path: path.read_bytes() for path in fold.iterdir()} == before


def test_without_hard_links_the_latest_is_moved(fold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refused)
    with checkpoint_draft(fold / "checkpoint_latest.pth") as draft:
        torch.save(content(7), draft)
    assert epoch_of(fold / "checkpoint_latest.pth") == 7 and epoch_of(fold / "checkpoint_previous.pth") == 2


SMALL_DISK = """
import subprocess, sys, torch
from pathlib import Path
from nnunet_skipx.nnunet.checkpoints import checkpoint_draft
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
for megabytes in (1, 8):
    with checkpoint_draft(folder / "checkpoint_latest.pth") as draft:
        torch.save(torch.zeros(megabytes, 2**18), draft)
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="needs a file system of its own",
)
def test_a_full_disk_is_called_one(tmp_path: Path) -> None:
    command = ["unshare", "-rm", sys.executable, "-c", SMALL_DISK, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    last = result.stderr.strip().splitlines()[-1]
    assert last == f"OSError: [Errno 28] No space left on device: '{tmp_path}/checkpoint_latest.pth'"


class Stranger:
    """Runs something when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


def test_reading_a_checkpoint_runs_nothing_unless_the_user_trusts_it(
    fold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, trace = fold / "checkpoint_latest.pth", fold / "run"
    torch.save(content() | {"more": Stranger(trace)}, path)
    with pytest.raises(ValueError, match=rf"{path} holds more than weights .*export {TRUST}=1") as caught:
        read_checkpoint(path)
    assert not isinstance(caught.value, DamagedCheckpointError) and not trace.exists()
    assert set_damaged_aside(fold) == [], "it is not damaged"
    assert not trace.exists()
    monkeypatch.setenv(TRUST, "1")
    assert read_checkpoint(path)["current_epoch"] == 3
    assert trace.exists()
