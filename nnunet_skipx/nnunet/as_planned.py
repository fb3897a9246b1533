"""What nnU-Net and torch raise on plans that somebody has edited, told with the plans' name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

LONGEST_REASON = 200
RAISED = (
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    AssertionError,
    ArithmeticError,
    ValueError,
    RuntimeError,
)


@contextmanager
def as_planned(plans: Mapping[str, Any], configuration: str) -> Iterator[None]:
    """Inside, a network is made as the plans say; ValueError where that is impossible.

    Our own errors, which are for users, and those of too little memory stay as they are.
    """
    try:
        yield
    except RAISED as error:
        if _is_ours(error) or isinstance(error, torch.OutOfMemoryError) or "alloc" in str(error):
            raise
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST_REASON]}"
        raise ValueError(
            f"no network can be built from the architecture of configuration {configuration!r} in the plans "
            f"{plans['plans_name']!r} of {plans['dataset_name']} ({why}): take plans that nnU-Net has written"
        ) from error


def _is_ours(error: BaseException) -> bool:
    """Whether the line that raised it is one of the package's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    speaks = isinstance(error, ValueError | RuntimeError)  # our code raises these only on purpose
    return speaks and trace is not None and trace.tb_frame.f_globals["__name__"].startswith("nnunet_skipx.")
