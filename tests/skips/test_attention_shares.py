"""How much attention UDTransNet's stages pay to each other, beside the full matrix of weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nnunet_skipx.skips.dat_layer import DATLayer, DATOptions, SpatialSelection

STAGES, BATCH, POSITIONS, EMBEDDING, HEADS = 3, 2, 10, 16, 4


def setup(selection: bool = True) -> tuple[SpatialSelection, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    module = SpatialSelection(STAGES, DATOptions(EMBEDDING, HEADS, dropout=0.5, selection=selection)).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.7).requires_grad_(False)
    tokens = torch.randn(STAGES, BATCH, POSITIONS, EMBEDDING, dtype=torch.float64)
    return module.eval(), tokens, torch.randn(BATCH, STAGES, POSITIONS, EMBEDDING, dtype=torch.float64)


def naive_shares(module: SpatialSelection, tokens: torch.Tensor, fused: torch.Tensor) -> torch.Tensor:
    """All weights, then their sum over the keys of each stage, one stage and one head after the other."""
    rows = []
    keys = module.key(fused.flatten(1, 2)).unflatten(2, (HEADS, -1)).transpose(1, 2)
    for stage in range(STAGES):
        queries = F.linear(tokens[stage], module.query.weight[stage]).unflatten(2, (HEADS, -1)).transpose(1, 2)
        weights = torch.softmax(F.instance_norm(queries @ keys.mT), -1)
        rows.append([part.sum(-1).mean() for part in weights.split(POSITIONS, -1)])
    return torch.tensor(rows, dtype=torch.float64)


def test_they_are_the_weights_of_the_attention_summed_by_stage() -> None:
    module, tokens, fused = setup()
    shares = module.attention_shares(tokens, fused)
    torch.testing.assert_close(shares, naive_shares(module, tokens, fused), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(shares.sum(1), torch.ones(STAGES, dtype=torch.float64))
    assert (shares - 1 / STAGES).abs().max() > 0.01, "a test on even shares would test nothing"


def test_queries_that_tell_nothing_apart_share_alike() -> None:
    module, tokens, fused = setup()
    nn.init.zeros_(module.query.weight)
    even = torch.full((STAGES, STAGES), 1 / STAGES, dtype=torch.float64)
    torch.testing.assert_close(module.attention_shares(tokens, fused), even)


def test_a_stage_whose_keys_fit_best_gets_almost_all() -> None:
    module, tokens, fused = setup()
    for weight in (*module.query.weight, module.key.weight):
        weight.copy_(torch.eye(EMBEDDING))
    fused[:, 1] += 5
    assert (module.attention_shares(tokens.abs(), fused)[:, 1] > 0.5).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_they_are_float32_under_autocast_and_close(dtype: torch.dtype) -> None:
    module, tokens, fused = setup()
    exact = module.attention_shares(tokens, fused)
    module = module.float()
    with torch.autocast("cpu", dtype=dtype):
        shares = module.attention_shares(tokens.float(), fused.float())
    assert shares.dtype == torch.float32
    torch.testing.assert_close(shares.double(), exact, rtol=0, atol=0.01)
    torch.testing.assert_close(shares.sum(1), torch.ones(STAGES))


def test_dropout_has_no_part_in_them() -> None:
    module, tokens, fused = setup()
    expected = module.attention_shares(tokens, fused)
    assert torch.equal(module.train().attention_shares(tokens, fused), expected)


def test_the_twin_pays_no_attention() -> None:
    module, tokens, fused = setup(selection=False)
    assert module.attention_shares(tokens, fused) is None


def test_a_layer_asks_with_what_its_attention_gets() -> None:
    torch.manual_seed(0)
    layer = DATLayer(STAGES, DATOptions(EMBEDDING, HEADS)).eval()
    asked: list[torch.Tensor] = []
    layer.selection.register_forward_hook(lambda module, inputs, output: asked.append(module.attention_shares(*inputs)))
    layer(torch.randn(STAGES, BATCH, POSITIONS, EMBEDDING))
    torch.testing.assert_close(asked[0].sum(1), torch.ones(STAGES))
