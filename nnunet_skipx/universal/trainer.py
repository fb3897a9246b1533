"""One training over several data sets: a stock trainer per domain, one optimiser, shared mixing convolutions."""

import io
import shutil
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.paths import nnUNet_preprocessed
from nnunetv2.utilities.default_n_proc_DA import get_allowed_n_proc_DA
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn

from nnunet_skipx.architectures import U2Net
from nnunet_skipx.nnunet.folds import ALL, Fold
from nnunet_skipx.nnunet.json_files import read_mean_dice
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.planned import DOMAINS_FILE
from nnunet_skipx.nnunet.trainer_name import TrainerName
from nnunet_skipx.system.files import finite, write_json
from nnunet_skipx.system.variables import environment
from nnunet_skipx.training.preflight import preflight
from nnunet_skipx.training.processes import is_writing_process
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.variants import trainer_class
from nnunet_skipx.universal.batches import DomainBatches, of_domain, timed
from nnunet_skipx.universal.beside import FINGERPRINT, SUMMARY, content_of, fingerprint_of
from nnunet_skipx.universal.domains import PlannedDomain, fitted_plans
from nnunet_skipx.universal.part import PartOption
from nnunet_skipx.universal.run import key, read_run
from nnunet_skipx.universal.run_log import RunLog
from nnunet_skipx.universal.sampling import domain_order, iterations_per_domain
from nnunet_skipx.universal.sharing import shares_kernels, sharing_with, without_static_graph

COMPILED_PER_DOMAIN = 8  # variants of a graph: training or not, deep supervision or not, and sizes


class UniversalNetwork(nn.ModuleDict):
    """The domains' networks by their keys; what they share is one module in all of them."""

    @property
    def module(self) -> nn.Module:
        """Itself: nnU-Net looks here for the network inside DDP's wrapper, which every domain has for itself."""
        return self


class UniversalTrainer(SkipTrainer):
    """nnU-Net's training of a universal run (3D U2-Net, MICCAI 2019): one domain per iteration.

    Every domain has a stock trainer of its own (`parts`) for data, augmentation, loss, pseudo Dice and validation, with
    its own plan and folds. They share one optimiser and, stage by stage, the mixing convolutions of their networks.
    """

    architecture = U2Net
    domain_trainer = "nnUNetTrainerU2Net"
    was_initialized: bool
    num_iterations_per_epoch: int
    fold: Fold

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008
    ) -> None:
        resumed = plans["continue_training"]
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.run = read_run(self.plans_manager.dataset_name)
        domains = self.run.domains(configuration)
        if self.fold != ALL:
            self.run.require_no_leak(domains, self.fold)
        self.parts = [self._part(domain, resumed, device) for domain in domains]
        self.keys = [key(domain.dataset) for domain in domains]
        logs = {name: part.logger.local_logger for name, part in zip(self.keys, self.parts, strict=True)}
        self.logger.local_logger = RunLog(logs)
        # Kept in checkpoints, so that a model can be extracted wherever the checkpoint is.
        self.my_init_kwargs["domains"] = {
            part.plans_manager.dataset_name: {
                "plans": part.plans_manager.plans,
                "dataset_json": part.dataset_json,
                "trainer": type(part).__name__,
                "fingerprint": fingerprint_of(part.plans_manager.dataset_name),
            }
            for part in self.parts
        }

    def _part(self, domain: PlannedDomain, resumed: bool, device: torch.device) -> Any:
        options = TrainerName.of(type(self).__name__).options
        name = TrainerName(str(self.domain_trainer), (*options, f"from{self.run.number}")).text
        shared = self.configuration_manager.network_arch_init_kwargs
        plans = fitted_plans(domain.plans, domain.configuration, shared, shares_kernels(self.architecture_kwargs))
        with redirect_stdout(io.StringIO()), environment({"nnUNet_wandb_enabled": "0"}):
            part: Any = trainer_class(name)(
                {**plans, "continue_training": resumed}, domain.configuration, self.fold, domain.dataset_json, device
            )
        assert isinstance(part, PartOption)
        part.is_led = True
        return part

    @classmethod
    def build_network_architecture(
        cls,
        plans_manager: PlansManager,
        configuration_manager: ConfigurationManager,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """A domain's network on an ordinary plan.

        Raises:
            ValueError: the plans are a universal run's own, as when nnU-Net is asked to predict with one.
        """
        if "strides" not in configuration_manager.network_arch_init_kwargs:
            number = dataset_number(plans_manager.dataset_name)
            raise ValueError(
                f"{plans_manager.dataset_name} is a universal run, which has a network per domain: run "
                f"`skipx universal extract -d {number}`, then predict with the domain's own data set and trainer "
                f"(-tr {cls.domain_trainer}_from{number})"
            )
        return super().build_network_architecture(
            plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision
        )

    def initialize(self) -> None:
        """Every domain's network, compiled and wrapped by nnU-Net, with shared convolutions; one optimiser for all."""
        if self.was_initialized:
            raise RuntimeError("initialize was called twice")
        if self._do_i_compile():
            limit = COMPILED_PER_DOMAIN * len(self.parts)  # the domains' graphs are variants of one forward
            torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, limit)
        deepest = max(self.parts, key=lambda part: part.configuration_manager.network_arch_init_kwargs["n_stages"])
        deepest.initialize()
        for part in self.parts:
            if part is not deepest:
                part.build_network_architecture = sharing_with(deepest.bare_network, part.build_network_architecture)
                part.initialize()
            part.network = without_static_graph(part.network)
        self.network = UniversalNetwork({k: p.bare_network for k, p in zip(self.keys, self.parts, strict=True)})
        self.optimizer, self.lr_scheduler = self.configure_optimizers()
        for part in self.parts:
            part.optimizer, part.lr_scheduler, part.grad_scaler = self.optimizer, self.lr_scheduler, self.grad_scaler
        self.was_initialized = True

    def on_train_start(self) -> None:
        """The domains' data loaders, and the order of domains in an epoch."""
        if not self.was_initialized:
            self.initialize()
        for part in self.parts:
            preflight(part)
        workers = get_allowed_n_proc_DA()
        each = str(max(1, workers // len(self.parts)) if workers else 0)
        with environment({"nnUNet_n_proc_DA": each}):
            for part in self.parts:
                part.on_train_start()
        self._plan_epoch()
        self.inference_allowed_mirroring_axes = {
            k: part.inference_allowed_mirroring_axes for k, part in zip(self.keys, self.parts, strict=True)
        }
        if is_writing_process():
            folder = Path(self.output_folder_base)
            write_json(folder / "plans.json", self.plans_manager.plans)
            write_json(folder / "dataset.json", self.dataset_json)
            shutil.copyfile(Path(str(nnUNet_preprocessed)) / self.run.dataset / DOMAINS_FILE, folder / DOMAINS_FILE)
            write_json(folder / FINGERPRINT, {d: fingerprint_of(d) for d in self.run.fingerprints})  # for exporting
        self._save_debug_information()

    def _plan_epoch(self) -> None:
        """As many iterations as nnU-Net gives a data set, per domain on average, and batches in that order."""
        cases = [len(part.do_split()[0]) for part in self.parts]
        iterations = iterations_per_domain(cases, self.run.sampling, self.num_iterations_per_epoch)
        self.num_iterations_per_epoch = sum(iterations)
        self.num_val_iterations_per_epoch *= len(self.parts)
        self.dataloader_train = DomainBatches([p.dataloader_train for p in self.parts], domain_order(iterations))
        self.dataloader_val = DomainBatches([p.dataloader_val for p in self.parts], range(len(self.parts)))
        shares = ", ".join(f"{k} {n}" for k, n in zip(self.keys, iterations, strict=True))
        self.print_to_log_file(f"Iterations per epoch ({self.run.sampling}): {shares}")

    def on_train_end(self) -> None:
        """nnU-Net's last checkpoint; the domains' workers end."""
        super().on_train_end()
        for part in self.parts:
            part.on_train_end()

    def on_epoch_start(self) -> None:
        """nnU-Net's."""
        super().on_epoch_start()
        self.seconds = [0.0] * len(self.parts)
        for part in self.parts:
            part.current_epoch = self.current_epoch

    def on_train_epoch_start(self) -> None:
        """nnU-Net's, for the run and for every domain."""
        super().on_train_epoch_start()
        for part in self.parts:
            part.on_train_epoch_start()

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step of the batch's domain. The other domains' own parameters get no gradient and stay."""
        return timed(self.parts[batch["domain"]].train_step, batch)

    def on_train_epoch_end(self, train_outputs: list[dict[str, Any]]) -> None:
        """nnU-Net's for every domain; the run logs the mean of their losses."""
        for domain, part in enumerate(self.parts):
            part.on_train_epoch_end(of_domain(train_outputs, domain))
            self.seconds[domain] += sum(output["seconds"] for output in train_outputs if output["domain"] == domain)
        self.logger.log("train_losses", self._mean("train_losses"), self.current_epoch)

    def on_validation_epoch_start(self) -> None:
        """nnU-Net's for every domain."""
        for part in self.parts:
            part.on_validation_epoch_start()

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step of the batch's domain."""
        return timed(self.parts[batch["domain"]].validation_step, batch)

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """nnU-Net's for every domain; the run logs the means over the domains, and the Dice of all their labels."""
        for domain, part in enumerate(self.parts):
            part.on_validation_epoch_end(of_domain(val_outputs, domain))
            self.seconds[domain] += sum(output["seconds"] for output in val_outputs if output["domain"] == domain)
        self.logger.log("mean_fg_dice", self._mean("mean_fg_dice"), self.current_epoch)
        dice = [value for part in self.parts for value in part.logger.get_value("dice_per_class_or_region", -1)]
        self.logger.log("dice_per_class_or_region", dice, self.current_epoch)
        self.logger.log("val_losses", self._mean("val_losses"), self.current_epoch)
        for name, part in zip(self.keys, self.parts, strict=True):
            for other in self.logger.loggers:
                other.log(f"mean_fg_dice/{name}", part.logger.get_value("mean_fg_dice", -1), self.current_epoch)

    def _mean(self, value: str) -> float:
        """Of the epoch's values of all domains that have one."""
        return float(np.nanmean([part.logger.get_value(value, -1) for part in self.parts]))

    def on_epoch_end(self) -> None:
        """A line per domain, then nnU-Net's end of an epoch: log, checkpoints, picture."""
        for name, part, seconds in zip(self.keys, self.parts, self.seconds, strict=True):
            # the domain's share of the epoch, so that its log and the report tell what it cost
            part.logger.log("epoch_start_timestamps", time.time() - seconds, self.current_epoch)
            part.on_epoch_end()
            loss, validation, dice = (
                round(float(part.logger.get_value(value, -1)), 4)
                for value in ("train_losses", "val_losses", "ema_fg_dice")
            )
            self.print_to_log_file(f"{name}: train_loss {loss}, val_loss {validation}, EMA pseudo Dice {dice}")
        super().on_epoch_end()

    def load_checkpoint(self, filename_or_checkpoint: dict[str, Any] | str) -> None:
        """nnU-Net's; then every domain gets its mirroring axes and its best Dice back."""
        super().load_checkpoint(filename_or_checkpoint)
        for name, part in zip(self.keys, self.parts, strict=True):
            part.inference_allowed_mirroring_axes = (self.inference_allowed_mirroring_axes or {}).get(name)
            part._best_ema = max(part.logger.get_value("ema_fg_dice", None), default=None)

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """nnU-Net's for every domain, into that domain's own results; a summary of the means for the run."""
        summaries, means = {}, {}
        for part in self.parts:
            dataset = part.plans_manager.dataset_name
            self.print_to_log_file(f"Validating {dataset} into {part.output_folder}")
            part.perform_actual_validation(save_probabilities)
            if is_writing_process():
                summary = Path(part.output_folder) / SUMMARY
                means[dataset], summaries[dataset] = read_mean_dice(summary), content_of(summary)
                self.print_to_log_file(f"Mean Validation Dice of {dataset}: {means[dataset]}")
        if is_writing_process():
            path = Path(self.output_folder) / SUMMARY
            path.parent.mkdir(exist_ok=True)
            content = {"foreground_mean": {"Dice": float(np.mean(list(means.values())))}, "domains": means}
            write_json(path, {**finite(content), "summaries": summaries})  # which have NaN, as nnU-Net writes it
