"""Versions of torch and cuDNN whose three-dimensional convolutions are known to be slow in half precision."""

import re

from nnunet_skipx.environment.check import OK, WARN, Check

NAME = "Conv3d"
SLOW_TORCH = (2, 9)  # pytorch issue 166122
FIRST_CUDNN = 91500  # 9.15.0, as torch.backends.cudnn.version() counts


def check_convolutions(torch: str, cudnn: int | None, cuda: str | None, other_torch: str) -> Check:
    """Whether training in 3D is as fast as it should be on a GPU.

    Args:
        torch, cudnn, cuda: as `torch.__version__`, `torch.backends.cudnn.version()` and `torch.version.cuda` say.
        other_torch: the command that installs a version of torch which is known to work.
    """
    release = tuple(map(int, re.findall(r"\d+", torch)[:2]))
    if release == SLOW_TORCH:
        return Check(NAME, WARN, f"about 4 times slower under autocast with torch {torch} than it need be", other_torch)
    if cudnn is not None and cudnn < FIRST_CUDNN:
        text = f"in bfloat16 (_bf16) slow and large before cuDNN 9.15, and here is {cudnn_version(cudnn)}"
        major = (cuda or "12").split(".")[0]
        return Check(NAME, WARN, text, f'pip install "nvidia-cudnn-cu{major}>=9.15", or train without _bf16')
    return Check(NAME, OK, f"no known problem with torch {torch}")


def cudnn_version(number: int) -> str:
    """As people write it.

    >>> cudnn_version(91002), cudnn_version(8902)
    ('9.10.2', '8.9.2')
    """
    major, rest = divmod(number, 10_000 if number >= 90_000 else 1000)
    return f"{major}.{rest // 100}.{rest % 100}"
