"""The one module nnU-Net's trainer search sees: it asks `hasattr(module, name)`, and we answer for every variant.

nnU-Net imports each flat module of the folder as a top-level module and forgets it afterwards, so no class may live
here: the classes come from the installed package and are therefore the same object at every look-up and pickle.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if not name.startswith("nnUNetTrainer"):
        raise AttributeError(name)
    from nnunet_skipx.training.variants import trainer_class

    return trainer_class(name)
