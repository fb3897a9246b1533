"""A mark on the numbers that a mechanism chooses by the image, for `skipx inspect` and the tests to find."""

import torch
from torch import nn


class PerImage(nn.Identity):
    """The identity around numbers `(B, ...)` that a mechanism claims to choose by the image: gates, attention weights.

    A forward hook on it sees them, wherever in a network they are made.
    """

    chosen_by_image = True  # `skipx inspect`, which imports no mechanism, knows it by this


def spread_between_images(chosen: torch.Tensor) -> float:
    """Standard deviation over the images of numbers `(B, ...)`, B at least 2, mean over all that an image has."""
    return float(chosen.detach().to(torch.float64).std(0, correction=0).mean())
