"""Sums over voxels equal the plain product on every route, and half precision does not overflow in them."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from nnunet_skipx.architectures import U2Net, UTANet
from nnunet_skipx.kernels import voxel_sums
from nnunet_skipx.kernels.pointwise import conv1x1, conv1x1_norm_nonlin
from nnunet_skipx.kernels.voxel_products import multiply_rows, multiply_voxels
from nnunet_skipx.kernels.voxel_sums import sum_over_voxels
from tests.plan_shapes import PlanShape

LIMITS = {torch.float32: 1e-4, torch.float64: 1e-10}


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """How a GPU sums."""
    monkeypatch.setattr(voxel_sums, "PIECE", 16)
    monkeypatch.setattr(voxel_sums, "FEWEST", 2)
    monkeypatch.setattr(voxel_sums, "worth_cutting", lambda x: True)


@pytest.fixture(params=["at once", "in pieces"])
def route(request: pytest.FixtureRequest, in_pieces: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the CPU sums, and how a GPU does."""
    if request.param == "at once":
        monkeypatch.setattr(voxel_sums, "worth_cutting", lambda x: False)


def maps(layout: str, voxels: int, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    """Two maps `(B, C, voxels)` with 3 and 5 channels."""
    torch.manual_seed(0)
    sizes = [(2, c, voxels) if layout == "channels first" else (2, voxels, c) for c in (3, 5)]
    made = [torch.randn(size, dtype=dtype) for size in sizes]
    return [(x if layout == "channels first" else x.mT).requires_grad_() for x in made]


def assert_same_gradients(ours: torch.Tensor, naive: torch.Tensor, leaves: list[torch.Tensor]) -> None:
    limit = LIMITS[naive.dtype]
    torch.testing.assert_close(ours, naive, rtol=limit, atol=limit)
    direction = torch.randn_like(naive)
    gradients = [torch.autograd.grad(y, leaves, direction) for y in (ours, naive)]
    torch.testing.assert_close(*gradients, rtol=limit, atol=limit)


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("voxels", [7, 16, 31, 64, 70])
@pytest.mark.parametrize("layout", ["channels first", "channels last"])
def test_equals_the_plain_product(layout: str, voxels: int, dtype: torch.dtype, route: None) -> None:
    a, b = maps(layout, voxels, dtype)
    assert_same_gradients(sum_over_voxels(a, b), torch.bmm(a, b.mT), [a, b])


def test_pieces_copy_no_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voxel_sums, "PIECE", 16)
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(voxel_sums, "product", lambda a, b: seen.extend((a, b)) or a @ b)
    for layout in ("channels first", "channels last"):
        a, b = maps(layout, 64)
        voxel_sums.sum_of_pieces(a, b)
        storages = {x.untyped_storage().data_ptr() for x in seen}
        assert storages == {x.untyped_storage().data_ptr() for x in (a, b)}
        seen.clear()


@pytest.mark.parametrize("dtype", voxel_sums.HALF)
def test_half_precision_is_summed_in_float32(dtype: torch.dtype, route: None) -> None:
    ones = torch.full((1, 2, 4096), 64.0, dtype=dtype)
    assert (sum_over_voxels(ones, ones) == 64 * 64 * 4096).all()  # 2^24, far outside of float16


@pytest.mark.skipif(not voxel_sums.WIDENS, reason="torch is too old for products that widen")
def test_cuda_reads_half_precision_without_a_copy_of_it() -> None:
    with FakeTensorMode(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(voxel_sums, "at_least_float32", lambda x: pytest.fail("copied"))
        a = torch.empty(2, 4, 5000, dtype=torch.float16, device="cuda")
        assert sum_over_voxels(a, a).dtype == torch.float32


@pytest.mark.parametrize("bias", [True, False])
def test_products_have_the_gradients_of_plain_ones(bias: bool, route: None) -> None:
    _, x = maps("channels first", 70)
    matrix = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)
    first = torch.randn(2, 4, 1, dtype=torch.float64, requires_grad=True) if bias else None
    leaves = [matrix, x, *([] if first is None else [first])]
    naive = matrix @ x if first is None else matrix @ x + first
    assert_same_gradients(multiply_voxels(matrix, x, first), naive, leaves)
    one, last = matrix[0], None if first is None else first[0, :, 0]
    assert_same_gradients(multiply_rows(one, x.mT, last), nn.functional.linear(x.mT, one, last), leaves)


@pytest.mark.parametrize("multiply", [multiply_voxels, lambda m, x: multiply_rows(m[0], x.mT)])
def test_products_are_in_autocasts_precision_and_their_gradients_do_not_overflow(
    multiply: Callable, route: None
) -> None:
    matrix = torch.ones(1, 2, 4, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.float16):
        y = multiply(matrix, torch.ones(1, 4, 4096))
    y.backward(torch.full_like(y, 64))
    assert y.dtype == torch.float16
    assert (matrix.grad == 64 * 4096).all()


def test_gradients_of_the_folded_norm_are_finite_where_the_stock_ones_are(route: None) -> None:
    torch.manual_seed(0)
    x, direction = torch.randn(1, 4, 64, 64).half(), torch.full((1, 6, 64, 64), 64.0).half()
    gradients = []
    for folded in (True, False):
        weight, bias = torch.ones(6, 4, requires_grad=True), torch.zeros(6, requires_grad=True)
        norm = nn.InstanceNorm2d(6, affine=True)
        if folded:
            y = conv1x1_norm_nonlin(x, weight, bias, norm, nn.Identity())
        else:
            y = norm(conv1x1(x.float(), weight, bias)).half()
        y.backward(direction)
        gradients.append([weight.grad, norm.weight.grad, norm.bias.grad])
    assert all(g.isfinite().all() for g in gradients[0])
    assert (gradients[0][2] == 64 * 64 * 64).all()  # 2^18 of beta's
    torch.testing.assert_close(gradients[0][2], gradients[1][2])


def test_is_one_graph(route: None) -> None:
    a, b = (x.detach() for x in maps("channels first", 70))
    compiled = torch.compile(sum_over_voxels, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(a, b), a @ b.mT)


@pytest.mark.parametrize(("network_class", "stages"), [(UTANet, 3), (U2Net, 2)])  # the sums are those of every stage
@pytest.mark.slow
def test_networks_stay_one_graph_in_pieces(network_class: type[nn.Module], stages: int, in_pieces: None) -> None:
    """At once they are compiled by their contracts."""
    torch.manual_seed(0)
    shape = PlanShape((16, 24, 16), (1, 1, 1), stages)
    network, x = network_class(1, 3, False, **shape.architecture()), torch.randn(2, 1, *shape.patch)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    gradients = []
    for run in (compiled, network):
        network.zero_grad()
        run(x).square().mean().backward()
        gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])  # the finest head's
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)
