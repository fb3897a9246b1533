"""Every network of the package is on the pages that list them."""

import pytest

from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.training.declared import single_trainers
from nnunet_skipx.training.grammar import trainer_names
from tests.docs.pages import ROOT

NETWORKS = [name.removeprefix(BASELINE) for name in single_trainers() if name != BASELINE]


def page(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("listing", ["README.md", "docs/trainers.md"])
def test_every_trainer_has_a_row(listing: str) -> None:
    missing = [name for name in trainer_names() if f"`{name}`" not in page(listing)]
    assert not missing, f"{listing} lacks {missing}"


def test_every_network_may_be_planned_and_the_page_says_so() -> None:
    missing = [name for name in NETWORKS if f"`{name}`" not in page("docs/plan.md")]
    assert not missing, f"docs/plan.md lacks {missing}"


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_a_page_with_a_drawing_that_the_index_leads_to(network: str) -> None:
    own = f"architectures/{network.lower()}.md"
    assert own in page("docs/index.md")
    assert f"images/{network.lower()}.svg" in " ".join(page(f"docs/{own}").split())
    assert f"skipx cite {BASELINE}{network}" in " ".join(page(f"docs/{own}").split())
