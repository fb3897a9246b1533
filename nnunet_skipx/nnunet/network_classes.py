"""Which classes a plans file may name: nnU-Net imports what stands there, so a stranger's plans could run any code."""

import pydoc
import re
from collections.abc import Mapping
from typing import Any

from torch import nn

NETWORKS = ("dynamic_network_architectures", "nnunet_skipx.architectures")
LONGEST = 200  # characters of a name that are told
PARTS = ("torch.nn", "dynamic_network_architectures")  # convolutions, norms, activations
DOTTED = re.compile(r"\w+(\.\w+)+")


class UnknownNetworkError(ValueError):
    """Plans that name a class which is neither nnU-Net's nor ours."""


def require_known_networks(plans: Mapping[str, Any]) -> None:
    """Look at every configuration of a plans file before nnU-Net builds a network from it.

    Raises:
        UnknownNetworkError: names the configuration, the entry and what stands there; nothing of it was imported.
    """
    for configuration, content in plans["configurations"].items():
        if "architecture" in content:  # else it inherits one, or nnU-Net makes one up from an old format
            where = f"plans {plans.get('plans_name')!r}, configuration {configuration!r}"
            require_known_network(content["architecture"], where)


def require_known_network(architecture: Mapping[str, Any], where: str) -> None:
    """The same for one entry `architecture`; `where` says whose."""
    _require(architecture["network_class_name"], NETWORKS, f"{where}: network_class_name")
    require_known_parts(architecture["arch_kwargs"], architecture["_kw_requires_import"], where)


def require_known_parts(arguments: Mapping[str, Any], imported: Any, where: str) -> None:
    """The same for those arguments of a network that are imported by their name."""
    for key in imported:
        if key not in arguments:
            raise UnknownNetworkError(
                f"unknown network: {where}: _kw_requires_import names {key!r}, arch_kwargs do not"
            )
        if arguments[key] is not None:
            _require(arguments[key], PARTS, f"{where}: arch_kwargs.{key}")


def _require(name: object, packages: tuple[str, ...], where: str) -> None:
    """The name lies in one of the packages, and so does the network's class that it stands for."""
    if not (
        isinstance(name, str) and DOTTED.fullmatch(name) and _is_in(name, packages) and _is_network(name, packages)
    ):
        known, told = " or ".join(f"{package}.*" for package in packages), repr(name)[:LONGEST]
        raise UnknownNetworkError(
            f"unknown network: {where} names {told}, which is not imported: only classes of {known} are. Take plans "
            "that nnU-Net or `skipx plan` has written"
        )


def _is_in(name: str, packages: tuple[str, ...]) -> bool:
    return any(name.startswith(f"{package}.") for package in packages)


def _is_network(name: str, packages: tuple[str, ...]) -> bool:
    """Not what a module of the package has imported from elsewhere, as in torch.nn.modules.module.warnings."""
    try:
        found = pydoc.locate(name)  # imports modules of a package that is known
    except (pydoc.ErrorDuringImport, RuntimeError):  # torch.classes raises the latter for what it does not have
        return False
    return isinstance(found, type) and issubclass(found, nn.Module) and _is_in(f"{found.__module__}.", packages)
