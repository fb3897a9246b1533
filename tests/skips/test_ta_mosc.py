"""TA-MoSC equals its naive rendering, and the source's reference vectors where they are at hand."""

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.naive.ta_mosc import naive_ta_mosc
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.gates import MixtureOptions
from nnunet_skipx.skips.ta_mosc import TAMoSC

NORMS = {"instance": (nn.InstanceNorm2d, nn.InstanceNorm3d), "batch": (nn.BatchNorm2d, nn.BatchNorm3d)}
PYRAMIDS = {
    "2d": [(16, 24), (8, 12), (4, 6), (2, 3)],
    "3d": [(8, 16, 16), (8, 8, 8), (4, 4, 4)],
    "2d-not-divisible": [(14, 22), (7, 11), (4, 6), (2, 3)],
}


def setup(pyramid: str, norm: str, training: bool, batch: int = 3) -> tuple[TAMoSC, list[torch.Tensor]]:
    torch.manual_seed(0)
    sizes = PYRAMIDS[pyramid]
    dim = len(sizes[0])
    conv_op, norm_op = (nn.Conv2d, nn.Conv3d)[dim - 2], NORMS[norm][dim - 2]
    ops = BlockOps(conv_op, norm_op, {"affine": True}, nn.LeakyReLU, {"inplace": True})
    channels = [4, 6, 8, 10][: len(sizes)]
    module = TAMoSC(ops, channels, MixtureOptions(8)).double().train(training)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    features = [
        torch.randn(batch, c, *size, dtype=torch.float64, requires_grad=True)
        for c, size in zip(channels, sizes, strict=True)
    ]
    return module, features


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("pyramid", PYRAMIDS)
def test_equals_the_naive_rendering_with_all_gradients(pyramid: str, norm: str, training: bool) -> None:
    module, features = setup(pyramid, norm, training)
    leaves = [*module.parameters(), *features]
    results = []
    for function in (module, lambda x: naive_ta_mosc(module, x)):
        before = {key: value.clone() for key, value in module.state_dict().items()}
        torch.manual_seed(1)  # batch norm's unused experts draw a sample
        skips, _ = function(features)
        gradients = torch.autograd.grad(sum((s**2).sum() for s in skips), leaves, allow_unused=True)
        buffers = [b.clone() for b in module.buffers() if b.is_floating_point()]
        results.append([*skips, *(torch.zeros(1) if g is None else g for g in gradients), *buffers])
        module.load_state_dict(before)
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive.expand_as(ours).to(ours.dtype), rtol=1e-9, atol=1e-9)


def test_skips_keep_the_shapes_of_the_encoder_maps() -> None:
    module, features = setup("2d-not-divisible", "instance", True)
    skips, _ = module(features)
    assert [s.shape for s in skips] == [f.shape for f in features]


def test_with_instance_norm_a_sample_does_not_depend_on_the_rest_of_the_batch() -> None:
    module, features = setup("2d", "instance", True)
    module(features)  # fills the running means that the gates' input is held against
    module.eval()
    together, _ = module(features)
    alone, _ = module([f[1:2] for f in features])
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a[1:2], b)


def test_the_order_of_the_experts_does_not_matter() -> None:
    module, features = setup("2d", "instance", False)
    expected, _ = module(features)
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        module.gates.weight.copy_(module.gates.weight[..., order])
        for layer in (module.experts.expand, module.experts.transform, module.experts.norm, module.experts.project):
            for p in layer.parameters():
                p.copy_(p.unflatten(0, (4, -1))[order].flatten(0, 1))
    for a, b in zip(module(features)[0], expected, strict=True):
        torch.testing.assert_close(a, b)


def test_the_twin_weighs_all_experts_alike_and_has_no_gates() -> None:
    module, features = setup("2d", "instance", False)
    ops = BlockOps(nn.Conv2d, nn.InstanceNorm2d, {"affine": True}, nn.LeakyReLU, {})
    twin = TAMoSC(ops, [4, 6, 8, 10], MixtureOptions(8, routing="uniform")).double()
    twin.load_state_dict({k: v for k, v in module.state_dict().items() if not k.startswith(("gates.", "level."))})
    with torch.no_grad():
        module.gates.weight.zero_()  # all probabilities equal
    module.gates.top_k = 4
    for a, b in zip(twin(features)[0], module(features)[0], strict=True):
        torch.testing.assert_close(a, b)


def test_a_twin_without_mixing_gives_every_skip_one_expert() -> None:
    _, features = setup("2d", "instance", False)
    ops = BlockOps(nn.Conv2d, nn.InstanceNorm2d, {"affine": True}, nn.LeakyReLU, {})
    twin = TAMoSC(ops, [4, 6, 8, 10], MixtureOptions(8, num_experts=3, routing="fixed")).double()
    experts, fused = twin.experts, twin.fuse.activate(twin.fuse.convolve(features))
    hidden = experts.nonlin(experts.norm(experts.transform(experts.expand(fused))))
    outputs = experts.project(hidden).chunk(3, 1)
    for k, (skip, docker, x) in enumerate(zip(twin(features)[0], twin.dockers, features, strict=True)):
        torch.testing.assert_close(skip, docker(outputs[k % 3], x.shape[2:]))  # skip 3 starts again with expert 0


def test_a_twin_without_adaptivity_routes_all_images_alike_and_learns_how() -> None:
    ops = BlockOps(nn.Conv2d, nn.InstanceNorm2d, {"affine": True}, nn.LeakyReLU, {})
    twin = TAMoSC(ops, [4, 6, 8, 10], MixtureOptions(8, routing="constant")).double()
    _, features = setup("2d", "instance", True)
    skips, routing = twin(features)
    assert (routing.probabilities == routing.probabilities[:1]).all()
    sum(s.square().sum() for s in skips).backward()
    assert twin.gates.weight.grad.abs().max() > 0


def test_activations_without_an_inplace_argument_work() -> None:
    module = TAMoSC(BlockOps(nn.Conv2d, nn.InstanceNorm2d, {"affine": True}, nn.GELU), [4, 6], MixtureOptions(8))
    skips, _ = module([torch.randn(1, 4, 8, 8), torch.randn(1, 6, 4, 4)])
    assert all(skip.isfinite().all() for skip in skips)


def test_a_single_skip_is_refused() -> None:
    with pytest.raises(ValueError, match="3 stages"):
        TAMoSC(BlockOps(nn.Conv2d), [4], MixtureOptions())


def test_parity_with_the_reference_vectors() -> None:
    from tests.parity import check_file

    files = sorted((Path(__file__).parents[3] / "shared" / "reference").glob("utanet_tamosc*.npz"))
    if not files:
        pytest.skip("no reference vectors beside this checkout (../shared/reference)")
    assert all(check_file(file) for file in files)
