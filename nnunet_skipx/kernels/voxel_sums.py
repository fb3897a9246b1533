"""Matrix products that sum over voxels, in pieces that keep a whole GPU busy."""

import torch

from nnunet_skipx.kernels.precision import at_least_float32, without_autocast

# A GPU gives each tile of a product's output to one of its processors, however many numbers are summed. Pieces of this
# many voxels make about as many tiles of a map with 64^3 voxels as a large GPU has processors, 132.
PIECE = 2048
FEWEST = 8  # pieces; a shorter sum takes less time than it takes to launch more kernels
HALF = (torch.float16, torch.bfloat16)
WIDENS = "dtype" in torch.ops.aten.bmm.overloads()  # torch 2.8 and later, on CUDA


@without_autocast
def sum_over_voxels(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`a @ b.mT`, `(B, M, N)`, in at least float32, of a, `(B, M, P)`, and b, `(B, N, P)`, P voxels.

    The CPU computes it at once, other devices piece by piece, because M and N are small and P is huge. Half precision
    is summed in float32 and never rounded back, or sums of ordinary gradients would overflow. Differentiable, except
    in half precision on CUDA: there it is for the backward of functions.
    """
    voxels = a.shape[2]
    pieces = voxels // PIECE if worth_cutting(a) else 1
    if pieces < FEWEST:
        return product(a, b.mT)
    whole = pieces * PIECE
    total = sum_of_pieces(a[..., :whole], b[..., :whole])
    return total if whole == voxels else total + product(a[..., whole:], b[..., whole:].mT)


def worth_cutting(x: torch.Tensor) -> bool:
    """The CPU's own products are as fast in one go."""
    return x.device.type != "cpu"


def sum_of_pieces(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`sum_over_voxels` of a whole number of pieces, without copying either map."""
    a, b = [x.unflatten(2, (-1, PIECE)).movedim(2, 1) for x in (a, b)]  # (B, pieces, M, PIECE), views
    pieces = a.shape[1]
    if a.stride(0) == pieces * a.stride(1) and b.stride(0) == pieces * b.stride(1):
        # Channels last: images and pieces are one axis.
        return product(a.flatten(0, 1), b.flatten(0, 1).mT).unflatten(0, (-1, pieces)).sum(1)
    return torch.stack([product(x, y.mT) for x, y in zip(a.unbind(), b.unbind(), strict=True)]).sum(1)


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`a @ b` of batches of matrices in at least float32; CUDA reads half precision as it is, others a copy of it."""
    if WIDENS and a.device.type == "cuda" and a.dtype == b.dtype and a.dtype in HALF:
        return torch.bmm(a, b, out_dtype=torch.float32)
    return torch.bmm(at_least_float32(a), at_least_float32(b))


def minus(x: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """`x - mean` in the precision of x: calculated in that of the mean, which no map is stored in."""
    return torch.sub(x, mean, out=torch.empty_like(x))
