"""nnunet_skipx: published skip connections as drop-in nnU-Net trainers, compared fairly."""

__version__ = "0.1.0"
