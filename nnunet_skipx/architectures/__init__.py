"""Whole networks: nnU-Net's encoder from the plans, a skip mechanism, nnU-Net's decoder.

A network is a class whose file here has its name in small letters (`XUNet` in `xunet.py`). All of them are in
`NETWORKS`, and plans name them as members of this package; those imported one by one are so for type checkers.
"""

import importlib
import pkgutil

from nnunet_skipx.architectures.msaunet import MSAUNet
from nnunet_skipx.architectures.u2net import U2Net
from nnunet_skipx.architectures.udtransnet import UDTransNet
from nnunet_skipx.architectures.unet import PlannedUNet, SkipUNet
from nnunet_skipx.architectures.utanet import UTANet
from nnunet_skipx.architectures.xunet import XUNet

__all__ = ["NETWORKS", "MSAUNet", "PlannedUNet", "SkipUNet", "U2Net", "UDTransNet", "UTANet", "XUNet"]

NETWORKS: dict[str, type[PlannedUNet] | type[U2Net]] = {
    name: network
    for _, file, _ in pkgutil.iter_modules(__path__)
    for name, network in vars(importlib.import_module(f"{__name__}.{file}")).items()
    if isinstance(network, type) and name.lower() == file
}
globals().update(NETWORKS)
