"""Which software took a metric, for the captions: names and versions."""

from collections.abc import Iterable
from importlib.metadata import version

from nnunet_skipx import __version__

PACKAGES = {"nnU-Net": "nnunetv2", "MONAI": "monai", "SciPy": "scipy"}
TAKEN_BY = {  # beginning of a metric's name -> tool
    "Dice": "nnU-Net",
    "IoU": "nnU-Net",
    "volume error": "nnU-Net",
    "absolute volume error": "nnU-Net",
    "NSD": "MONAI",
    "HD95": "MONAI",
    "lesion": "SciPy",
    "ECE": "nnunet-skipx",
    "Brier": "nnunet-skipx",
}


def tool_versions() -> dict[str, str]:
    """Of all tools that metrics are taken with."""
    return {"nnunet-skipx": __version__, **{name: version(package) for name, package in PACKAGES.items()}}


def taken_by(metrics: Iterable[str]) -> str:
    """'IoU: nnU-Net 2.8.1; NSD (1 mm), HD95: MONAI 1.6.1', metrics in the order given.

    >>> taken_by(["IoU"]) == f"IoU: nnU-Net {tool_versions()['nnU-Net']}"
    True
    """
    versions, by_tool = tool_versions(), dict[str, list[str]]()
    for metric in metrics:
        tool = next(tool for beginning, tool in TAKEN_BY.items() if metric.startswith(beginning))
        by_tool.setdefault(tool, []).append(metric)
    return "; ".join(f"{', '.join(named)}: {tool} {versions[tool]}" for tool, named in by_tool.items())
