"""Which networks can be planned for, said without importing one."""

from pathlib import Path

from nnunet_skipx.system.classes import network_names
from nnunet_skipx.system.names import did_you_mean

STOCK = "PlainConvUNet"
FOLDER = Path(__file__).parents[1] / "architectures"


def require_architecture(architecture: str, stock: bool = True) -> None:
    """Raise ValueError, with the likeliest and the list, for a network that is none; `stock`: nnU-Net's own is one."""
    known = [*([STOCK] if stock else []), *network_names(FOLDER)]
    if architecture not in known:
        likeliest = did_you_mean(architecture, known)
        raise ValueError(f"there is no network {architecture!r}{likeliest}; there are: {', '.join(known)}")
