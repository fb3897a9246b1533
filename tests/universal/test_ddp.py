"""Two processes train a universal run together: the same domain in an iteration, and nobody waits for an absent one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from tests.forking.fixture import ForkServer
from tests.universal.conftest import Make
from tests.universal.runs import UNIVERSAL, make_run, make_trainer

STEPS = 6
TRAINER = f"{UNIVERSAL}_2epochs"  # nnU-Net's SGD
Batch = dict[str, Any]


def worker(rank: int, run: str, store: str, out: str, static: bool) -> None:
    """A rank as nnU-Net's run_ddp starts it, on the CPU."""
    from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as module

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    module.DDP = lambda network, device_ids: DistributedDataParallel(network, static_graph=static)  # no GPU is named
    trainer = on_cpu(make_trainer(Path(run), TRAINER))
    torch.manual_seed(rank)  # DDP gives all ranks the weights of the first
    trainer.initialize()
    for part in trainer.parts:
        assert isinstance(part.network, DistributedDataParallel)
    trainer.on_train_start()
    assert [part.batch_size for part in trainer.parts] == [1, 1]
    domains, gradients = run_steps(trainer, slice(rank, rank + 1))
    with torch.no_grad():
        trainer.on_validation_epoch_start()
        trainer.on_validation_epoch_end([trainer.validation_step(next(trainer.dataloader_val)) for _ in range(2)])
    torch.save(
        {
            "domains": domains,
            "gradients": gradients,
            "weights": trainer.network.state_dict(),
            "dice": trainer.logger.get_value("mean_fg_dice", -1),
        },
        f"{out}/rank{rank}.pt",
    )
    if rank == 0:
        trainer.save_checkpoint(f"{out}/checkpoint.pth")
    distributed.barrier()
    trainer.load_checkpoint(f"{out}/checkpoint.pth")
    distributed.destroy_process_group()


def on_cpu(trainer: Any) -> Any:
    """nnU-Net puts the ranks of a distributed training on GPUs."""
    for each in (trainer, *trainer.parts):
        each.device, each.grad_scaler = torch.device("cpu"), None
    return trainer


def run_steps(trainer: Any, samples: slice) -> tuple[list[int], list[dict[str, torch.Tensor]]]:
    """Some iterations with some samples of every batch; their domains, and the gradients of the first of each."""
    trainer.on_epoch_start()
    trainer.on_train_epoch_start()
    domains, gradients = [], []
    for step in range(STEPS):
        batch = made_up_batch(trainer, step)
        batch |= {"data": batch["data"][samples], "target": [t[samples] for t in batch["target"]]}
        domains.append(batch["domain"])
        trainer.train_step(batch)
        if step < len(trainer.parts):
            named = trainer.network.named_parameters()
            gradients.append({name: p.grad.clone() for name, p in named if p.grad is not None})
    return domains, gradients


def made_up_batch(trainer: Any, step: int) -> Batch:
    """Of two samples, for the domain whose turn it is."""
    domain = step % len(trainer.parts)
    part = trainer.parts[domain]
    torch.manual_seed(step)
    patch = part.configuration_manager.patch_size
    target = torch.randint(0, part.label_manager.num_segmentation_heads, (2, 1, *patch)).float()
    strides = part.configuration_manager.network_arch_init_kwargs["strides"]
    targets = [target]
    for stride in strides[1:-1]:
        targets.append(targets[-1][(..., *[slice(None, None, s) for s in stride])])
    return {
        "data": torch.randn(2, part.num_input_channels, *patch),
        "target": targets,
        "domain": domain,
        "seconds": 0.0,
    }


@pytest.mark.parametrize("static", [False, True], ids=["today", "tomorrow"])
@pytest.mark.slow
def test_two_ranks_take_the_same_domains_and_learn_as_one_process_does(
    make_domain: Make, forks: ForkServer, tmp_path: Path, static: bool
) -> None:
    run = make_run(make_domain)
    forks.run_ranks(worker, str(run), f"{tmp_path}/store", str(tmp_path), static)
    first, second = (torch.load(tmp_path / f"rank{r}.pt", weights_only=False) for r in (0, 1))
    assert first["domains"] == second["domains"] == [0, 1] * (STEPS // 2)
    assert all(torch.equal(value, second["weights"][name]) for name, value in first["weights"].items())
    assert first["dice"] == second["dice"]

    alone = make_trainer(run, TRAINER)
    torch.manual_seed(0)
    alone.initialize()
    _, expected = run_steps(alone, slice(None))
    for step, (ours, of_one) in enumerate(zip(first["gradients"], expected, strict=True)):
        more = ours.keys() - of_one.keys() - coarsest_heads(alone)  # those have no weight, in DDP hardly any
        assert not more, (step, {name: float(ours[name].abs().max()) for name in more})
        for name, gradient in of_one.items():
            assert (ours[name] - gradient).abs().max() <= 0.01 * gradient.abs().max() + 1e-6, name


def coarsest_heads(trainer: Any) -> set[str]:
    """The parameters behind every domain's coarsest logits."""
    return {f"{key}.decoder.seg_layers.0.{kind}" for key in trainer.keys for kind in ("weight", "bias")}
