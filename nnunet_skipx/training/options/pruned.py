"""`_pruned{N}`: what a trained UNet++ predicts with its U-Net of depth N alone."""

import shutil
from pathlib import Path
from typing import Any, ClassVar, cast

from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn

from nnunet_skipx.architectures.unetplusplus import UNetPlusPlus
from nnunet_skipx.nnunet.checkpoints import NEEDED, read_checkpoint
from nnunet_skipx.nnunet.folds import FINAL
from nnunet_skipx.nnunet.trainer_name import TrainerName
from nnunet_skipx.training.trainer import SkipTrainer


class PrunedOption(SkipTrainer):
    """`_pruned{N}`: the trained trainer of the name without it, cut to depth N; copied and validated, not trained.

    `nnUNetv2_train` writes the cut network into a folder of its own, which nnU-Net's commands predict with.
    """

    number: ClassVar[int]
    needs: ClassVar[tuple[str, ...]] = ("heads",)

    @classmethod
    def build_network_architecture(
        cls,
        plans_manager: PlansManager,
        configuration_manager: ConfigurationManager,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The trainer's network, cut."""
        network = super().build_network_architecture(
            plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision
        )
        return cast(UNetPlusPlus, network).prune(cls.number)

    @property
    def source(self) -> Path:
        """The model folder of the trained network."""
        own = Path(self.output_folder_base)
        _, plans, configuration = own.name.rsplit("__", 2)
        whole = TrainerName.of(type(self).__name__).without(f"pruned{self.number}").text
        return own.with_name(f"{whole}__{plans}__{configuration}")

    def run_training(self) -> None:
        """Take over what the whole network has learnt; nnU-Net validates it afterwards.

        Raises:
            FileNotFoundError: the whole network is not trained; says how.
        """
        trained = self.source / Path(self.output_folder).name / FINAL
        if not trained.is_file():
            whole, fold = self.source.name.split("__")[0], self.fold
            raise FileNotFoundError(
                f"{type(self).__name__} is cut from a trained {whole}, and there is no {trained}: train that first, "
                f"nnUNetv2_train {self.plans_manager.dataset_name} {self.configuration_name} {fold} -tr {whole} "
                f"-p {self.plans_manager.plans_name}"
            )
        if not self.was_initialized:
            self.initialize()
        self.take_over(read_checkpoint(trained, NEEDED))
        for name in ("plans.json", "dataset.json", "dataset_fingerprint.json"):
            if (self.source / name).is_file():
                shutil.copy2(self.source / name, self.output_folder_base)
        self.save_checkpoint(str(Path(self.output_folder) / FINAL))
        self.print_to_log_file(f"Cut {trained} to depth {self.number}; nothing was trained")

    def take_over(self, checkpoint: dict[str, Any]) -> None:
        """The weights that the cut network has, and what nnU-Net knows of their training."""
        own = self.bare_network.state_dict()
        weights = checkpoint["network_weights"]
        self.bare_network.load_state_dict({key: weights[key] for key in own})
        self.logger.load_checkpoint(checkpoint["logging"])
        self.current_epoch = checkpoint["current_epoch"] - 1  # nnU-Net saves the next one's number
        self._best_ema = checkpoint["_best_ema"]
        self.inference_allowed_mirroring_axes = checkpoint["inference_allowed_mirroring_axes"]
