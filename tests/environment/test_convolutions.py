"""The doctor knows versions whose three-dimensional convolutions are slow."""

import re

import pytest
import torch

from nnunet_skipx.environment import doctor
from nnunet_skipx.environment.check import OK, WARN
from nnunet_skipx.environment.convolutions import check_convolutions
from nnunet_skipx.environment.doctor import MATCHING_PAIR
from nnunet_skipx.environment.probe import probe_gpu


@pytest.mark.parametrize(
    ("version", "cudnn", "cuda", "status", "text", "cure"),
    [
        ("2.9.0+cu128", 91002, "12.8", WARN, "4 times slower under autocast with torch 2.9.0", MATCHING_PAIR),
        ("2.9.1", 91600, "13.0", WARN, "4 times slower", MATCHING_PAIR),
        ("2.8.0+cu126", 91002, "12.6", WARN, r"bfloat16 \(_bf16\) .*9\.10\.2", "nvidia-cudnn-cu12>=9.15"),
        ("2.10.0", 91499, "13.0", WARN, "bfloat16", "nvidia-cudnn-cu13>=9.15"),
        ("2.6.0", 8902, "11.8", WARN, r"here is 8\.9\.2", "nvidia-cudnn-cu11>=9.15"),
        ("2.10.0", 91500, "13.0", OK, "no known problem", ""),
        ("2.15.0", None, None, OK, "no known problem", ""),  # a build for AMD's GPUs
        ("2.29.0", 92000, "13.2", OK, "no known problem", ""),
    ],
)
def test_slow_versions_are_named_with_their_cure(
    version: str, cudnn: int | None, cuda: str | None, status: str, text: str, cure: str
) -> None:
    check = check_convolutions(version, cudnn, cuda, MATCHING_PAIR)
    assert check.status == status
    assert re.search(text, check.text)
    assert cure in check.cure and bool(check.cure) == (status != OK)


def test_the_probe_tells_what_is_asked_for_and_only_a_gpu_is_asked() -> None:
    answer = probe_gpu() | {"imports": {}, "folders": {}, "trainers": {}}
    assert answer["versions"]["torch"] == torch.__version__
    of_a_gpu = answer | {"cuda": "NVIDIA"}
    assert [check.name for check in doctor.checks_from_probe(of_a_gpu)].count("Conv3d") == 1
    assert "Conv3d" not in [check.name for check in doctor.checks_from_probe(answer | {"cuda": ""})]
