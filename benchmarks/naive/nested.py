"""UNet++ as its formula reads: every node convolves the concatenation of all that it sees.

Takes the parameters of our network.
"""

import torch
from torch.nn import functional as F

from nnunet_skipx.architectures.unetplusplus import UNetPlusPlus


class NaiveUNetPlusPlus:
    """All nodes `X(i, j)` of one image, each computed when it is first asked for."""

    def __init__(self, network: UNetPlusPlus, image: torch.Tensor) -> None:
        self.network, self.last = network, len(network.encoder.strides) - 1
        self.known = {(stage, 0): x for stage, x in enumerate(network.encoder(image))}

    def node(self, i: int, j: int) -> torch.Tensor:
        """`X(i, j) = H([X(i, 0), ..., X(i, j - 1), U(X(i + 1, j - 1))])`, `(B, C, *spatial)`."""
        if (i, j) not in self.known:
            seen = [self.node(i, k) for k in range(j)] if self.network.skips.grid.dense else [self.node(i, j - 1)]
            make = self.decoder_node if i + j == self.last else self.nested_node
            self.known[i, j] = make(i, j, seen, self.node(i + 1, j - 1))
        return self.known[i, j]

    def nested_node(self, i: int, j: int, seen: list[torch.Tensor], below: torch.Tensor) -> torch.Tensor:
        """A nested node."""
        node = self.network.skips.nodes[i][j - 1]
        return node.rest(node.conv(torch.cat([*seen, node.up(below)], 1)))

    def decoder_node(self, i: int, j: int, seen: list[torch.Tensor], below: torch.Tensor) -> torch.Tensor:
        """The last node of a stage, whose own skip and enlarged map nnU-Net's kernels see."""
        decoder, position = self.network.decoder, -1 - i
        nested = [x for x in seen if x is not self.known[i, 0]]
        first, *others = decoder.stages[position].convs
        weight = torch.cat([first.conv.weight, *(self.network.skips.further[i].weight for _ in nested[:1])], 1)
        everything = torch.cat([decoder.transpconvs[position](below), self.known[i, 0], *nested], 1)
        x = (F.conv2d if everything.ndim == 4 else F.conv3d)(
            everything, weight, first.conv.bias, padding=first.conv.padding
        )
        for module in (*first.all_modules[1:], *others):
            x = module(x)
        return x

    def branch(self, j: int) -> torch.Tensor:
        """Logits of `X(0, j)`."""
        heads = {self.last: self.network.decoder.seg_layers[-1]}
        heads |= {int(step): head for step, head in self.network.skips.seg_layers.items()}
        return heads[j](self.node(0, j))

    def logits(self) -> list[torch.Tensor]:
        """Of full resolution the mean over all branches, then those of the other decoder stages."""
        branches = [*map(int, self.network.skips.seg_layers), self.last]
        finest = sum(self.branch(j) for j in branches) / len(branches)
        coarse = [self.network.decoder.seg_layers[-1 - i](self.node(i, self.last - i)) for i in range(1, self.last)]
        return [finest, *coarse]
