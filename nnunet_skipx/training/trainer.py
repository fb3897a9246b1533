"""The stock trainer with one of our networks in it: what every trainer of the package has in common."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn

from nnunet_skipx.architectures import PlannedUNet, U2Net
from nnunet_skipx.counting import built_to_count
from nnunet_skipx.nnunet.checkpoints import checkpoint_draft
from nnunet_skipx.nnunet.names import STOCK_NETWORKS
from nnunet_skipx.nnunet.network_classes import require_known_parts
from nnunet_skipx.nnunet.wrappers import unwrap
from nnunet_skipx.training.preflight import preflight
from nnunet_skipx.training.processes import is_writing_process
from nnunet_skipx.training.skipped_steps import SkippedSteps
from nnunet_skipx.training.twins import Budget, Ingredient, Twin, count, scaled_widths


class SkipTrainer(nnUNetTrainer):
    """nnU-Net's trainer with another network: plans, data, augmentation, schedule and evaluation stay nnU-Net's.

    A trainer names its network in `architecture`; in `ingredients` what the network claims to gain from, and in `twin`
    which of that `_twin` does without (None: there is no twin); in `demo_kwargs` the arguments that fit it to the
    demo's narrow U-Net and short schedule (the `_demo` variant), with `demo_learning_rate` where the demo's own does
    not suit it; and in `own_options` what further parts of a name mean to it: arguments of the network by option, such
    as `{"attn": {"attention": True}}`. An option that changes nothing beside others has these in `idle`. `own_mixins`
    are classes that options with a number stand for, `{"from{N}": X}`; they find it in `number`.

    `families` are those of `training.families` that the network is of whatever ingredient is removed.

    `citation` is the paper that the network is of, as a list of references has it; those of ours stand together in
    `results/references.py`.

    A variant has its network's arguments in `architecture_kwargs`. A twin's also tell what it does without (`removed`),
    the arguments of the network that is whole (`whole_kwargs`), and in what it is as large (`budget`).
    """

    architecture: ClassVar[type[PlannedUNet] | type[U2Net]]
    citation: ClassVar[str] = ""
    own_options: ClassVar[dict[str, dict[str, Any]]] = {}
    own_mixins: ClassVar[dict[str, type]] = {}
    idle: ClassVar[dict[str, tuple[str, ...]]] = {}
    ingredients: ClassVar[dict[str, Ingredient]] = {}
    twin: ClassVar[Twin | None] = None
    families: ClassVar[tuple[str, ...]] = ("concatenation",)
    architecture_kwargs: ClassVar[dict[str, Any]] = {}
    whole_kwargs: ClassVar[dict[str, Any]] = {}
    removed: ClassVar[tuple[str, ...]] = ()
    budget: ClassVar[Budget | None] = None
    demo_kwargs: ClassVar[dict[str, Any]] = {}
    demo_learning_rate: ClassVar[float | None] = None
    seconds_to_compile: ClassVar[int] = 150  # most took 80 to 160 on 16 slow cores, at 128^3 and at 512^2
    augments_in_workers: ClassVar[bool] = True
    domain_trainer: ClassVar[str | None] = None  # of a single data set, where this one trains several

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008 - nnU-Net compares signatures
    ) -> None:
        if device.type == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("torch sees no CUDA GPU here: add -device cpu, or run `skipx doctor` on the GPU machine")
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.save_every = 10  # a job killed on a cluster loses at most ten epochs
        self.skipped = SkippedSteps()

    @classmethod
    def build_network_architecture(
        cls,
        plans_manager: PlansManager,
        configuration_manager: ConfigurationManager,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The trainer's network on the architecture arguments of the plans; nnU-Net calls this at inference too.

        Raises:
            ValueError: the plans describe another kind of network than a U-Net.
        """
        planned = configuration_manager.network_arch_class_name.split(".")[-1]
        if planned not in (*STOCK_NETWORKS, cls.architecture.__name__):
            raise ValueError(
                f"plans {plans_manager.plans_name!r} describe the network {planned}, but {cls.__name__} needs the "
                f"encoder of {' or '.join(STOCK_NETWORKS)}: use -p nnUNetPlans or -p nnUNetResEncUNetMPlans"
            )
        build = cls.builder(configuration_manager, num_input_channels, num_output_channels)
        if cls.budget is None:
            return build(cls.architecture_kwargs, enable_deep_supervision)
        input_shape = (1, num_input_channels, *configuration_manager.patch_size)
        return build(cls.matched_kwargs(build, cls.budget, input_shape), enable_deep_supervision)

    @classmethod
    def builder(cls, configuration: ConfigurationManager, channels: int, heads: int) -> Callable[..., nn.Module]:
        """What builds the network of a configuration with further arguments."""
        from_plan = {key: configuration.configuration[key] for key in cls.architecture.plan_arguments}
        planned_kwargs = {**configuration.network_arch_init_kwargs, **from_plan}
        imported = configuration.network_arch_init_kwargs_req_import
        require_known_parts(planned_kwargs, imported, "the plans' architecture")

        def build(kwargs: Mapping[str, Any], deep_supervision: bool = False) -> nn.Module:
            return get_network_from_plans(
                f"{cls.architecture.__module__}.{cls.architecture.__name__}",
                {**planned_kwargs, **kwargs},
                imported,
                channels,
                heads,
                allow_init=False,  # our networks initialise themselves
                deep_supervision=deep_supervision,
            )

        return build

    @classmethod
    def matched_kwargs(cls, build: Callable[..., nn.Module], budget: Budget, shape: Sequence[int]) -> dict[str, Any]:
        """The twin's arguments, with widths that give it the budget of the whole network."""

        def built(kwargs: Mapping[str, Any]) -> Any:
            with built_to_count():
                return build(kwargs)

        def cost(widths: list[int]) -> int:
            return count(built({**cls.architecture_kwargs, "features_per_stage": widths}), budget, shape)

        whole = built(cls.whole_kwargs)
        widths = scaled_widths(whole.encoder.output_channels, cost, count(whole, budget, shape))
        return {**cls.architecture_kwargs, "features_per_stage": widths}

    def on_train_start(self) -> None:
        """nnU-Net's, once a step on zeros has worked: a dead worker would only say that a worker died.

        Raises:
            RuntimeError: what `preflight` raises.
        """
        if not self.was_initialized:
            self.initialize()
        if self.bare_network.warm_start is not None:
            self.print_to_log_file(self.bare_network.warm_start)
        self.preflight()
        super().on_train_start()

    def preflight(self) -> None:
        """One forward and backward pass on zeros."""
        preflight(self)

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step; counts those that the GradScaler skips because a gradient was not finite."""
        if self.grad_scaler is None:
            return super().train_step(batch)
        with self.skipped.watching(self.optimizer):
            return super().train_step(batch)

    def on_train_epoch_end(self, train_outputs: list[dict[str, Any]]) -> None:
        """Log the epoch's skipped steps where half precision can have any."""
        super().on_train_epoch_end(train_outputs)
        if self.grad_scaler is not None:
            self.print_to_log_file(f"Skipped steps: {self.skipped.count()}")
        self.skipped = SkippedSteps()

    def save_checkpoint(self, filename: str) -> None:
        """nnU-Net's checkpoint, whole or not at all: a job killed while it writes can go on from the last one."""
        if not is_writing_process():  # the others must not touch the first one's draft
            return
        with checkpoint_draft(Path(filename)) as draft:
            super().save_checkpoint(str(draft))

    @property
    def bare_network(self) -> PlannedUNet | U2Net:
        """The network without the wrappers of DDP and torch.compile."""
        return cast(PlannedUNet | U2Net, unwrap(self.network))
