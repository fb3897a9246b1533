"""What is counted of a network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Parameters, and 1e9 floating point operations of a forward pass of one patch (multiply-add = 2)."""

    parameters: int
    gflops: float
