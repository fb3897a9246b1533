"""nnunet_skipx: published skip connections as drop-in nnU-Net trainers, compared fairly."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnunet_skipx.api.build import build, from_plans
    from nnunet_skipx.api.compare import compare
    from nnunet_skipx.api.profile import profile

__version__ = "0.1.0"
__all__ = ["build", "compare", "from_plans", "profile"]

LAZY = {  # torch is imported at first use
    "build": "nnunet_skipx.api.build",
    "compare": "nnunet_skipx.api.compare",
    "from_plans": "nnunet_skipx.api.build",
    "profile": "nnunet_skipx.api.profile",
}


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(importlib.import_module(LAZY[name]), name)
