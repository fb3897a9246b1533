"""sharing: networks of other depths, channels and labels hold the same mixing convolutions, and nothing else."""

import pytest
import torch
from torch import nn

from nnunet_skipx.architectures import U2Net
from nnunet_skipx.universal.sharing import begin_like, own_parameters, share, shared_parameters, units
from tests.plan_shapes import PlanShape

SHALLOW = PlanShape((16, 24, 16), (1, 1, 1), 3)
DEEP = PlanShape((16, 40, 40), (3, 1, 1), 4)  # anisotropic, so that kernels and strides differ
KINDS = {"separable": {}, "source": {"strided": "source"}, "series": {"convolutions": "series"}}


def pair(**kwargs: str) -> tuple[U2Net, U2Net]:
    """A deep network, and a shallow one with other channels and labels that shares with it."""
    torch.manual_seed(0)
    deep = U2Net(1, 2, **kwargs, **DEEP.architecture())
    plan = SHALLOW.architecture()
    if kwargs:  # full convolutions are shared with one kernel size
        plan["kernel_sizes"] = DEEP.architecture()["kernel_sizes"][: SHALLOW.stages]
    shallow = U2Net(3, 4, **kwargs, **plan)
    share(shallow, deep)
    return deep, shallow


@pytest.mark.parametrize("kind", KINDS)
def test_the_shared_parameters_are_the_same_objects(kind: str) -> None:
    deep, shallow = pair(**KINDS[kind])
    shared = {id(p) for p in shared_parameters(shallow)}
    assert shared == {id(p) for p in deep.parameters()} & {id(p) for p in shallow.parameters()}
    last = {"separable": {"pointwise"}, "source": {"pointwise", "conv"}, "series": {"conv"}}
    names = {name.split(".")[-2] for name, p in shallow.named_parameters() if id(p) in shared}
    assert names == last[kind]


def test_stages_are_counted_from_the_full_resolution() -> None:
    deep, shallow = pair()
    assert shallow.decoder.ups[-1].pointwise is deep.decoder.ups[-1].pointwise
    assert shallow.decoder.stages[0][0].pointwise is deep.decoder.stages[1][0].pointwise
    assert shallow.encoder.stages[2][0].second.pointwise is deep.encoder.stages[2][0].second.pointwise
    assert shallow.encoder.downs[1].pointwise is deep.encoder.downs[1].pointwise
    assert len(units(deep.encoder, deep.decoder)) == 4 * 2 + 3 + 3 + 3


def test_each_network_computes_with_what_is_shared_and_learns_into_it() -> None:
    deep, shallow = pair()
    image = torch.randn(1, 3, *SHALLOW.patch)
    before = shallow(image).detach()
    for parameter in deep.parameters():
        nn.init.normal_(parameter)
    assert not torch.allclose(shallow(image), before)
    shallow(image).sum().backward()
    reached = {name for name, p in deep.named_parameters() if p.grad is not None}
    shared = {id(p) for p in shared_parameters(shallow)}
    assert reached == {name for name, p in deep.named_parameters() if id(p) in shared}


def test_what_belongs_to_another_domain_changes_no_bit() -> None:
    deep, shallow = pair()
    image = torch.randn(1, 1, *DEEP.patch)
    before = deep(image)
    shared = {id(p) for p in shared_parameters(shallow)}
    for parameter in shallow.parameters():
        if id(parameter) not in shared:
            nn.init.normal_(parameter)
    assert torch.equal(deep(image), before)


def test_what_does_not_fit_is_named() -> None:
    deep, shallow = (U2Net(1, 2, **shape.architecture()) for shape in (DEEP, SHALLOW))
    with pytest.raises(ValueError, match=r"no encoder\.3\.0\.first.*more stages"):
        share(deep, shallow)
    wider = U2Net(1, 2, **(SHALLOW.architecture() | {"features_per_stage": [4, 8, 32]}))
    with pytest.raises(ValueError, match=r"encoder\.2\.0\.first has weights of the shape .*cannot be shared"):
        share(wider, deep)
    full = U2Net(1, 2, convolutions="full", **DEEP.architecture())
    other = U2Net(1, 2, convolutions="full", **SHALLOW.architecture())
    with pytest.raises(ValueError, match="cannot be shared"):
        share(other, full)


def test_a_new_domain_begins_like_the_one_that_fits_best_but_for_its_heads() -> None:
    deep, shallow = pair()
    torch.manual_seed(5)
    new = U2Net(1, 5, **DEEP.architecture())
    for p in (*deep.parameters(), *shallow.parameters(), *new.parameters()):
        nn.init.normal_(p)
    before = {name: p.detach().clone() for name, p in new.named_parameters()}
    begin_like(new, [shallow, deep])
    assert all(torch.equal(p, own_parameters(deep)[name]) for name, p in own_parameters(new).items())
    own = {id(p) for p in own_parameters(new).values()}
    others = {name: p for name, p in new.named_parameters() if id(p) not in own}
    assert {name.split(".")[-2] for name in others if "seg_layers" not in name} == {"pointwise"}
    assert any("seg_layers" in name for name in others)
    assert all(torch.equal(p, before[name]) for name, p in others.items())


def test_a_shape_that_no_domain_has_stays_as_it_was() -> None:
    deep, _ = pair()
    torch.manual_seed(5)
    new = U2Net(2, 2, **SHALLOW.architecture())
    stem = new.encoder.stem.conv.weight.detach().clone()
    begin_like(new, [deep])
    assert torch.equal(new.encoder.stem.conv.weight, stem), "another number of channels"
    ours, theirs = (network.encoder.stages[2][0].first.depthwise.weight for network in (new, deep))
    assert torch.equal(ours, theirs)
