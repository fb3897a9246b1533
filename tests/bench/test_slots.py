"""Where cells train: GPUs that are there, or the cores of the CPU."""

import os

import pytest
import torch

from nnunet_skipx.bench.slots import Slot, cpu_slots, slots
from nnunet_skipx.discovery import EXT_VARIABLE, ext_path


def test_gpus_are_given_in_the_numbers_that_the_user_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert slots(None, "1,0", None) == [Slot("cuda", "1"), Slot("cuda", "0")]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert slots(None, "1", None) == [Slot("cuda", "7")]
    with pytest.raises(ValueError, match=r"no GPU '2': torch sees 2 \(0 to 1\)"):
        slots(None, "0,2", None)


def test_without_a_gpu_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="sees none: add -device cpu"):
        slots(None, "0", None)


def test_what_is_asked_for_is_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert slots(None, None, None) == slots("cuda", None, None) == [Slot("cuda", "0"), Slot("cuda", "1")]
    assert slots(None, "1", None) == [Slot("cuda", "1")]
    assert slots("cpu", None, 1) == cpu_slots(1)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert slots(None, None, None) == cpu_slots()
    for wrong in ((None, "0", None), ("cuda", None, None)):
        with pytest.raises(ValueError, match="sees none: add -device cpu"):
            slots(*wrong)
    with pytest.raises(ValueError, match="--gpus 0 and -device cpu exclude each other"):
        slots("cpu", "0", None)
    with pytest.raises(ValueError, match="--jobs 2 is for the CPU"):
        slots("cuda", None, 2)


def test_cells_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(10)), raising=False)
    assert cpu_slots() == [Slot("cpu", threads=2)] * 4
    assert cpu_slots(1) == [Slot("cpu", threads=10)]
    for wrong in (0, 11):
        with pytest.raises(ValueError, match=f"--jobs {wrong} does not fit: this machine has 10 cores"):
            slots("cpu", None, wrong)


def test_the_users_threads_decide_how_many_cells_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(10)), raising=False)
    wanted = {"4": [Slot("cpu", threads=4)] * 2, "1": [Slot("cpu")] * 4, "99": [Slot("cpu", threads=99)]}
    for value, found in wanted.items():
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert cpu_slots() == found
        assert found[0].environment()["OMP_NUM_THREADS"] == value
    for value in ("4,2", "", "0", "²"):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert cpu_slots() == [Slot("cpu", threads=2)] * 4
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cpu_slots(2) == [Slot("cpu", threads=3)] * 2


def test_a_training_finds_our_trainers_and_its_device_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("nnUNet_n_proc_DA", "12")
    on_gpu, on_cpu = Slot("cuda", "3").environment(), Slot("cpu", threads=2).environment()
    assert (on_gpu["CUDA_VISIBLE_DEVICES"], on_gpu["nnUNet_n_proc_DA"]) == ("3", "12")
    assert (on_cpu["CUDA_VISIBLE_DEVICES"], on_cpu["nnUNet_n_proc_DA"]) == ("", "12"), "the user's"
    monkeypatch.delenv("nnUNet_n_proc_DA")
    assert [Slot("cpu", workers=w).environment()["nnUNet_n_proc_DA"] for w in (None, 4)] == ["0", "0"]
    assert on_cpu["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6")
    assert Slot("cuda").environment()["CUDA_VISIBLE_DEVICES"] == "6", "the GPU that Slurm gave"
    assert ext_path() in on_cpu[EXT_VARIABLE]


def test_workers_are_at_most_the_cpus_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    variables = ("nnUNet_n_proc_DA", "nnUNet_def_n_proc")
    for name in variables:
        monkeypatch.delenv(name, raising=False)
    assert [Slot("cuda", workers=4).environment()[name] for name in variables] == ["4", "4"]
    assert [Slot("cuda", workers=32).environment()[name] for name in variables] == ["12", "8"], "nnU-Net's own"
    for name in variables:
        monkeypatch.setenv(name, "2")
    assert [Slot("cuda", workers=4).environment()[name] for name in variables] == ["2", "2"], "the user's"
