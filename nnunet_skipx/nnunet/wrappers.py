"""Networks inside the wrappers of DDP and torch.compile."""

from torch import nn
from torch._dynamo import OptimizedModule
from torch.nn.parallel import DistributedDataParallel


def unwrap(network: nn.Module) -> nn.Module:
    """The module inside DDP and torch.compile."""
    if isinstance(network, DistributedDataParallel):
        network = network.module
    return network._orig_mod if isinstance(network, OptimizedModule) else network


def uncompiled(network: nn.Module) -> nn.Module:
    """The network without torch.compile; DDP's wrapper stays."""
    if isinstance(network, DistributedDataParallel):
        network.module = uncompiled(network.module)
        return network
    return network._orig_mod if isinstance(network, OptimizedModule) else network
