"""Lets a checkout import `nnunet_skipx.trainers`, which is the top-level folder `trainers/`."""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parent.parent / "trainers")]
