"""Attention whose scores are instance-normalised: softmax(IN(Q K^T)) V (UDTransNet and UCTransNet, "psi").

The norm has no affine part. Its mean is the same for all scores of a row, so it cancels in the softmax, and what is
left is one factor r = 1 / sqrt(variance + eps) per matrix of scores.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch.nn import functional as F

from nnunet_skipx.kernels.precision import at_least_float32, without_autocast

EPS = 1e-5
SMALLEST_SQUARE = 1e-12  # of keys that are all alike, which must not be divided by zero


def channel_attention_weights(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """softmax(IN(Q^T K)), `(B, C, C)`, softmax over the keys' channels, of tokens `(B, n, C)`, at least in float32."""
    return torch.softmax(normed(sums_over_tokens(q, k)), -1)


@without_autocast
def sums_over_tokens(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """Q^T K, `(..., C, D)`, at least in float32, of tokens `(..., n, C)` and `(..., n, D)`."""
    return at_least_float32(q).mT @ at_least_float32(k)


@without_autocast
def normed(scores: torch.Tensor, factor: float = 1.0) -> torch.Tensor:
    """IN(factor * scores), at least in float32, of matrices of scores `(..., C, D)`."""
    # Torch has one kernel for the norm of the last axes; a variance of its own takes ten times as long on the CPU.
    return F.layer_norm(at_least_float32(scores), scores.shape[-2:], eps=EPS / factor**2)


def channel_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    dropout: float = 0.0,
    chosen: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """(A V^T)^T with A = softmax(IN(Q^T K)): channels attend to channels; tokens `(B, n, C)` to tokens `(B, n, C)`.

    `chosen` is shown A, `(B, C, C)`, ahead of the dropout.
    """
    weights = channel_attention_weights(q, k)
    weights = F.dropout(weights if chosen is None else chosen(weights), dropout)
    return v @ weights.mT.to(v.dtype)


def spatial_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dropout: float = 0.0) -> torch.Tensor:
    """softmax(IN(Q K^T)) V, `(S, B, h, n, d)`: tokens attend to tokens, the scores of each (S, B, h) normed apart.

    The keys and values are shared, so all S sets of queries go into one call of torch's attention, which need not
    store the scores: see `normed_queries_and_keys`. Under autocast a GPU multiplies halves there, several times faster
    than in float32; softmax and sums inside are in float32 all the same.

    Args:
        q: queries, `(S, B, h, n, d)`.
        k, v: keys and values, `(B, h, m, d)`.
        dropout: probability of dropping a weight; 0 in evaluation.
    """
    kind = torch.get_autocast_dtype("cuda") if q.is_cuda and torch.is_autocast_enabled("cuda") else None
    return attend(q, k, v, dropout, kind)


@without_autocast
def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dropout: float, kind: torch.dtype | None) -> torch.Tensor:
    """`spatial_attention`, on a GPU with products of that kind, else of what comes in."""
    queries, keys = normed_queries_and_keys(q, k)
    values = at_least_float32(v)
    if dropout > 0 and not q.is_cuda:
        return torch.stack([attend_and_drop(part, keys, values, dropout) for part in queries])
    queries = queries.permute(1, 2, 0, 3, 4).flatten(2, 3)
    queries, keys, values = (x.to(kind or x.dtype) for x in (queries, keys, values))
    context = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout, scale=1.0)
    return context.unflatten(2, (len(q), -1)).permute(2, 0, 1, 3, 4)


def attend_and_drop(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dropout: float) -> torch.Tensor:
    """softmax(Q K^T) V with dropped weights, `(B, h, n, d)`; on the CPU faster than torch's own dropout."""
    dropped = draw((*q.shape[:3], k.shape[2]), dropout, q.device)
    return torch.where(dropped, 0, torch.softmax(q @ k.mT, -1)) @ (v / (1 - dropout))


def draw(shape: Sequence[int], probability: float, device: torch.device) -> torch.Tensor:
    """True with that probability, rounded to a multiple of 1/65536: four draws from each random number of 64 bits."""
    count = math.prod(shape)
    numbers = torch.randint(-(2**63), 2**63 - 1, ((count + 3) // 4,), device=device)
    return (numbers.view(torch.int16)[:count] < round(probability * 2**16) - 2**15).view(shape)


def normed_queries_and_keys(q: torch.Tensor, k: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries `(S, B, h, n, d)` and keys `(B, h, m, d)` whose products have the softmax of IN(Q K^T).

    With means a, b and covariances A, B of queries and keys, the scores have the variance
    <A, B> + a^T B a + b^T A b, a sum of terms that are not negative. So r is known from small matrices, ahead of the
    scores, and goes into the queries. The mean key shifts all scores of a row alike and is subtracted for accuracy.
    Keys are brought to the scale of 1 and queries scaled the other way, so that both stay in float16's range.
    """
    q, k = at_least_float32(q), at_least_float32(k)
    mean_q, mean_k = q.mean(-2, keepdim=True), k.mean(-2, keepdim=True)
    centred_q, centred_k = q - mean_q, k - mean_k
    covariance_q = centred_q.mT @ centred_q / q.shape[-2]
    covariance_k = centred_k.mT @ centred_k / k.shape[-2]
    variance = (covariance_q * (covariance_k + mean_k.mT @ mean_k)).sum((-1, -2), keepdim=True)
    variance = variance + (mean_q @ covariance_k * mean_q).sum(-1, keepdim=True)
    scale = (covariance_k.diagonal(dim1=-2, dim2=-1).mean(-1) + SMALLEST_SQUARE).sqrt()[..., None, None]
    return q * (torch.rsqrt(variance.clamp_min(0) + EPS) * scale), centred_k / scale
