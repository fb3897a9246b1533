"""nnU-Net as its branch for training across machines has it, put over the installed one in a process of its own.

`AllGatherGrad` and `setup_ddp` are gone, DDP is told that the graph stays the same, and a trainer's `local_rank` counts
on its machine, of which every process here is one, while `global_rank` counts all of them.
"""

import functools
import sys
from typing import Any

from nnunetv2.run import run_training
from nnunetv2.training.loss import dice
from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as module
from nnunetv2.utilities import ddp_allgather
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

STATIC = {"static_graph": True}


def look_like_tomorrow() -> None:
    """Change nnU-Net in this process, before any trainer of ours is imported."""
    assert "nnunet_skipx.training.balance" not in sys.modules
    del ddp_allgather.AllGatherGrad, run_training.setup_ddp, dice.AllGatherGrad
    module.DDP = lambda network, device_ids=None, **_: DistributedDataParallel(network, **STATIC)
    trainer: Any = module.nnUNetTrainer
    initialise = trainer.__init__

    @functools.wraps(initialise)
    def initialise_with_ranks(self: Any, *args: Any, **kwargs: Any) -> None:
        initialise(self, *args, **kwargs)
        self.global_rank, self.local_rank = distributed.get_rank() if self.is_ddp else 0, 0

    trainer.__init__ = initialise_with_ranks


def look_like_today() -> None:
    """The same on the CPU, where DDP must not be told of a GPU."""
    module.DDP = lambda network, device_ids: DistributedDataParallel(network)
