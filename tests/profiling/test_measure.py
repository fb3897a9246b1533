"""measure: seconds and memory of steps whose seconds and memory are known."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from nnunet_skipx.profiling import measure
from nnunet_skipx.profiling.measure import (
    Step,
    gpu_memory,
    in_fresh_process,
    memory_is_measurable,
    paired_seconds,
    peak_memory,
    ratio,
    resident_memory,
)
from nnunet_skipx.system.machine import describe_machine

pytestmark = pytest.mark.slow  # in processes of their own

linux = pytest.mark.skipif(not memory_is_measurable(), reason="this system does not tell the peak of its memory")
MB = 2**20


def step_that_fills(megabytes: int, kept: int = 0) -> Step:
    """A step that fills and frees so many MB; `kept` MB stay filled beside it."""
    ballast = torch.ones(kept * MB // 4)
    return lambda: (torch.ones(megabytes * MB // 4), len(ballast))


def step_with_state(megabytes: int) -> Step:
    """A training step of one parameter of so many MB: as much gradient, as much momentum."""
    weight = nn.Parameter(torch.zeros(megabytes * MB // 4))
    optimizer = torch.optim.SGD([weight], 1e-3, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        weight.backward(torch.ones(()).expand_as(weight))
        optimizer.step()

    return step


@linux
def test_a_step_that_fills_200_mb_is_measured_as_200_mb() -> None:
    assert peak_memory(step_that_fills, 200) == pytest.approx(200, abs=10)


@linux
def test_what_lies_there_before_the_first_step_is_no_part_of_its_addition() -> None:
    assert peak_memory(step_that_fills, 50, 200) == pytest.approx(50, abs=10)


def resident(make: str, *arguments: int) -> float:
    return resident_memory(partial(globals()[make], *arguments))


@linux
def test_resident_memory_counts_what_was_made_for_the_step_too() -> None:
    assert in_fresh_process(resident, "step_that_fills", 50, 200) == pytest.approx(250, abs=12)


@linux
@pytest.mark.slow
def test_resident_memory_is_that_of_a_later_step_when_the_optimiser_has_its_state() -> None:
    # weight, gradient, momentum; the first step alone would have no momentum while it computes
    assert in_fresh_process(resident, "step_with_state", 64) == pytest.approx(3 * 64, abs=30)


@linux
@pytest.mark.slow
def test_resident_memory_forgets_the_peak_of_the_first_step() -> None:
    assert in_fresh_process(resident, "step_that_shrinks") < 120


def step_with_leftovers() -> Step:
    """A step of 40 MB after one that filled and freed 20 MB in pieces that lie between others."""

    def step() -> None:
        pieces = [torch.ones(MB // 4) for _ in range(40)]
        del pieces[::2]
        torch.ones(20 * MB // 4)

    return step


@linux
@pytest.mark.slow
def test_resident_memory_repeats_because_nothing_freed_is_kept() -> None:
    measured = [in_fresh_process(resident, "step_with_leftovers") for _ in range(2)]
    assert measured == pytest.approx([40, 40], abs=5)
    assert abs(measured[0] - measured[1]) < 1


def step_that_shrinks() -> Step:
    sizes = [300, 60]
    return lambda: torch.ones(sizes.pop(0) * MB // 4)


def test_seconds_are_those_of_the_step_and_the_ratio_is_paired() -> None:
    seconds = paired_seconds({"a": partial(time.sleep, 0.06), "b": partial(time.sleep, 0.02)}, runs=3, warmup=1)
    assert [len(values) for values in seconds.values()] == [3, 3]
    assert min(seconds["a"]) >= 0.06
    assert 0.02 <= min(seconds["b"]) < 0.06  # a busy machine makes a step slower, never faster
    assert ratio({"a": [2.0, 40.0, 3.0], "b": [2.0, 10.0, 10.0]}, "a", "b") == 1.0  # of the medians 0.3


def test_steps_take_turns() -> None:
    order: list[str] = []
    paired_seconds({"a": partial(order.append, "a"), "b": partial(order.append, "b")}, runs=2, warmup=1)
    assert "".join(order) == "ababab"


def test_the_gpu_is_waited_for_before_and_after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: order.append("wait"))
    paired_seconds({"a": partial(order.append, "a")}, runs=1, warmup=0)
    assert order == ["wait", "a", "wait"]


def test_gpu_memory_is_the_peak_of_the_last_step_above_what_lay_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = {"now": 100 * MB, "peak": 100 * MB}

    def make_step() -> Step:
        gpu["now"] += 30 * MB  # weights
        heights = [900 * MB, 60 * MB, 50 * MB]

        def step() -> None:
            gpu["peak"] = max(gpu["peak"], gpu["now"] + heights.pop(0))

        return step

    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: gpu["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: gpu["peak"])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: gpu.update(peak=gpu["now"]))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert gpu_memory(make_step, warmup=2)[1] == 80


def refuse(text: str) -> None:
    raise ValueError(text)


def settings() -> dict[str, str]:
    return {name: os.environ[name] for name in measure.KEEP_NOTHING}


def test_the_environment_of_this_process_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in measure.KEEP_NOTHING:
        monkeypatch.setenv(name, "7")
    before = dict(os.environ)
    assert in_fresh_process(settings) == measure.KEEP_NOTHING
    assert dict(os.environ) == before


def test_an_exception_in_the_fresh_process_is_raised_here() -> None:
    with pytest.raises(ValueError, match="plan again"):
        in_fresh_process(refuse, "plan again")


def die(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.slow
def test_a_process_that_the_system_kills_is_no_endless_waiting() -> None:
    with pytest.raises(MemoryError):
        in_fresh_process(die, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="ended with code -15"):
        in_fresh_process(die, signal.SIGTERM)


def chat(text: str) -> int:
    print(text)
    return os.getpid()


def test_the_process_is_another_one_and_prints_to_stderr(capfd: pytest.CaptureFixture) -> None:
    assert in_fresh_process(chat, "a remark") != os.getpid()
    captured = capfd.readouterr()
    assert not captured.out
    assert "a remark" in captured.err


def test_the_machine_is_named_with_its_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe_machine().endswith("float32")
    assert f"torch {torch.__version__.split('+')[0]}" in describe_machine()
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    assert describe_machine(cuda=True).startswith("Some GPU, torch")
    assert "float16" in describe_machine(cuda=True)


def test_a_system_without_proc_is_described_and_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "Path", lambda _: Path("/nowhere"))
    monkeypatch.setattr(measure, "FORGET_THE_PEAK", Path("/nowhere"))
    assert not memory_is_measurable()
    assert f"{os.cpu_count()} cores" in describe_machine()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_status_of_this_process_has_both_fields() -> None:
    assert 0 < measure._megabytes("VmRSS") <= measure._megabytes("VmHWM")
