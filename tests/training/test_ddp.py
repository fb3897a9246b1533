"""Two processes over gloo: every trainer gets the gradients of one process with the joined batch."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from nnunet_skipx.training.grammar import trainer_names
from nnunet_skipx.training.preflight import preflight
from tests.contract import SMALL
from tests.forking.fixture import ForkServer
from tests.training.nnunet_of_tomorrow import look_like_today, look_like_tomorrow
from tests.training.small_trainer import make

TRAINERS = [name for name in trainer_names() if not name.endswith("Universal")]  # which has a test of its own
ABSOLUTE, RELATIVE = 1e-5, 1e-3


def batch(samples: slice) -> dict[str, Any]:
    """Noise, and the same in every process."""
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(2, 1, *SMALL.patch, generator=generator)
    target = torch.randint(0, 3, (2, 1, *SMALL.patch), generator=generator).float()
    targets = [target, target[..., ::2, ::2, ::2]]
    return {"data": data[samples], "target": [t[samples] for t in targets]}


def gradients(trainer: Any, samples: slice) -> dict[str, torch.Tensor | None]:
    """Of one forward and backward pass, by parameter; None where a parameter got none."""
    trainer.network.train()
    without_dropout(trainer.network)
    content = batch(samples)
    trainer.loss(trainer.network(content["data"]), content["target"]).backward()
    network = getattr(trainer.network, "module", trainer.network)
    return {name: parameter.grad for name, parameter in network.named_parameters()}


def without_dropout(network: nn.Module) -> None:
    """Processes draw different elements."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0


def worker(rank: int, folder: str, nnunet: str) -> None:
    """A rank as nnU-Net's run_ddp starts it, on the CPU, with one trainer after the other."""
    torch.set_num_threads(1)
    (look_like_tomorrow if nnunet == "tomorrow" else look_like_today)()
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    found = {}
    for name in TRAINERS:
        trainer: Any = make(name)
        assert trainer.is_ddp
        trainer.device, trainer.grad_scaler = torch.device("cpu"), None
        trainer.initialize()
        assert isinstance(trainer.network, DistributedDataParallel)
        assert not trainer.network.find_unused_parameters
        assert trainer.network.static_graph == (nnunet == "tomorrow")
        assert trainer.batch_size == 1
        preflight(trainer)
        gradients(trainer, slice(rank, rank + 1))
        trainer.network.zero_grad()
        found[name] = gradients(trainer, slice(rank, rank + 1))  # an unused parameter would stop the second pass
        trainer.save_checkpoint(f"{folder}/{name}_{rank}.pth")
    torch.save(found, f"{folder}/rank{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module", params=["today", "tomorrow"])
def of_two(request: pytest.FixtureRequest, forks: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what two processes found, with nnU-Net as it is and as it may become."""
    folder = tmp_path_factory.mktemp("ddp")
    patch = pytest.MonkeyPatch()
    data = folder / "preprocessed" / "Dataset998_Test" / "nnUNetPlans_test"
    data.mkdir(parents=True)
    (data / "case.b2nd").touch()
    patch.setenv("nnUNet_preprocessed", str(folder / "preprocessed"))
    patch.setenv("nnUNet_results", str(folder / "results"))
    fresh = request.param == "tomorrow"  # which must be there before a trainer of ours is imported
    forks.run_ranks(worker, str(folder), request.param, fresh=fresh)
    patch.undo()
    return folder


@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.slow
def test_two_processes_get_the_gradients_of_the_joined_batch(name: str, of_two: Path, folders: Path) -> None:
    trainer = make(name)
    trainer.initialize()
    joined = gradients(trainer, slice(None))
    for rank in range(2):
        ours = torch.load(of_two / f"rank{rank}.pt")[name]
        assert ours.keys() == joined.keys()
        assert all(gradient is not None for gradient in ours.values())
        for parameter, gradient in joined.items():
            if gradient is None:  # nnU-Net weighs the coarsest output 0 in one process, and 1e-6 in several
                assert ".seg_layers.0." in parameter
                gradient = torch.zeros_like(ours[parameter])
            torch.testing.assert_close(ours[parameter], gradient, rtol=RELATIVE, atol=ABSOLUTE)


@pytest.mark.slow
def test_one_process_of_all_machines_writes(of_two: Path) -> None:
    assert {path.name for path in of_two.glob("*.pth")} == {f"{name}_0.pth" for name in TRAINERS}


CONTRACT = """
import sys
from tests.training.nnunet_of_tomorrow import look_like_tomorrow
look_like_tomorrow()
import pytest
where = ["tests/training/test_trainers.py", "tests/architectures"]
sys.exit(pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", *where, "-k", sys.argv[1]]))
"""


@pytest.mark.slow
def test_nnunet_of_tomorrow_finds_every_trainer_and_predicts_with_it() -> None:
    words = [sys.executable, "-c", CONTRACT, "(resolver or predictor) and not AsPublished"]
    run = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed and int(passed[1]) >= 5 * len(TRAINERS)
