"""A new domain for a finished universal run: the shared weights are frozen, everything else is trained."""

from pathlib import Path
from typing import Any, ClassVar, cast

import torch

from nnunet_skipx.architectures import U2Net
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.universal.checkpoint import deepest, domain_network, find_checkpoint, read_run
from nnunet_skipx.universal.domains import fitted_plans
from nnunet_skipx.universal.shared_images import require_unseen
from nnunet_skipx.universal.sharing import begin_like, share, shared_parameters, shares_kernels


class AdaptOption(SkipTrainer):
    """`_adapt{N}`: train only what a domain has of its own, on the shared weights of universal run N.

    The shared weights get no gradient and no optimiser state. They come from the run's final checkpoint of the same
    plans, configuration and fold, with the same kind of convolutions.
    """

    number: ClassVar[int]
    of_a_run = True

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008
    ) -> None:
        self.source = find_checkpoint(type(self), self.number, plans["plans_name"], configuration, fold)
        run = read_run(self.source)["init_args"]
        shared = run["plans"]["configurations"][configuration]["architecture"]["arch_kwargs"]
        plans = fitted_plans(plans, configuration, shared, shares_kernels(self.architecture_kwargs))
        super().__init__(plans, configuration, fold, dataset_json, device)
        cases = [path.stem for path in Path(str(self.preprocessed_dataset_folder)).glob("*.pkl")]
        require_unseen(plans["dataset_name"], dataset_json, cases, run["domains"], fold)

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, Any]:
        """The variant's optimiser, once the shared weights are the run's and frozen."""
        run, network = read_run(self.source), cast(U2Net, self.bare_network)
        begin_like(network, [domain_network(run, dataset) for dataset in run["init_args"]["domains"]])
        share(network, domain_network(run, deepest(run)).to(self.device))
        for parameter in shared_parameters(network):
            parameter.requires_grad = False
        optimizer, scheduler = super().configure_optimizers()
        for group in optimizer.param_groups:
            group["params"] = [p for p in group["params"] if p.requires_grad]
        trained, total = (
            sum(p.numel() for p in network.parameters() if p.requires_grad or not only_trained)
            for only_trained in (True, False)
        )
        self.print_to_log_file(f"Shared weights of {self.source}; training {trained} of {total} parameters")
        return optimizer, scheduler
