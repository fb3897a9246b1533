"""What a universal run logs per epoch: nnU-Net's values for the run, and those of every domain beside them."""

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from nnunetv2.training.logging.nnunet_logger import LocalLogger


class RunLog(LocalLogger):
    """nnU-Net's log of the run (means over the domains); keeps the domains' logs in its checkpoint and its picture."""

    def __init__(self, domains: dict[str, LocalLogger]) -> None:
        super().__init__()
        self.domains = domains

    def get_checkpoint(self) -> dict[str, Any]:
        """All logs, for the run's checkpoint."""
        return {"run": super().get_checkpoint(), "domains": {k: v.get_checkpoint() for k, v in self.domains.items()}}

    def load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What `get_checkpoint` gave."""
        super().load_checkpoint(checkpoint["run"])
        for key, log in self.domains.items():
            log.load_checkpoint(checkpoint["domains"][key])

    def plot_progress_png(self, output_folder: str) -> None:
        """nnU-Net's progress.png of the means, and progress_domains.png with a line for every domain."""
        super().plot_progress_png(output_folder)
        with plt.style.context("default"):  # nnU-Net's picture leaves its own style behind
            figure, axes = plt.subplots(2, 1, figsize=(10, 10), sharex=True, layout="constrained")
            for key, log in self.domains.items():
                axes[0].plot(log.get_value("ema_fg_dice", None), label=key)
                (line,) = axes[1].plot(log.get_value("val_losses", None), label=f"{key}, validation")
                axes[1].plot(log.get_value("train_losses", None), color=line.get_color(), ls=":", label="training")
            axes[0].set(ylabel="pseudo Dice (mov. avg.)")
            axes[1].set(ylabel="loss", xlabel="epoch")
            for axis in axes:
                axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
            figure.savefig(Path(output_folder) / "progress_domains.png")
            plt.close(figure)
