"""Work on a CUDA stream of its own, beside what the device does meanwhile; on other devices nothing changes."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_leaves


class SideStream:
    """Runs work that depends on nothing that the device is doing, so that both overlap."""

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self.last_call: torch.cuda.Event | None = None

    def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """What `work(*arguments)` returns, to be used on the current stream, which waits for it; the host does not.

        The work is one call ahead of the current stream, no more: every call that it is ahead takes memory.
        """
        if self.stream is None:
            return work(*arguments)
        current = torch.cuda.current_stream(self.stream.device)
        if self.last_call is not None:
            self.stream.wait_event(self.last_call)
        self.last_call = current.record_event()
        with torch.cuda.stream(self.stream):
            result = work(*arguments)
        current.wait_stream(self.stream)
        for tensor in tree_leaves(result):
            if tensor.is_cuda:
                tensor.record_stream(current)  # its memory is not given to this stream's next work before it was read
        return result
