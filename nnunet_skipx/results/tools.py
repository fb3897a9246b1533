"""Which software took a metric, for the captions: names and versions."""

from collections.abc import Iterable
from importlib.metadata import version

from nnunet_skipx import __version__

PACKAGES = {"nnU-Net": "nnunetv2", "MONAI": "monai", "SciPy": "scipy"}
OURS = "nnunet-skipx"
TAKEN_BY = {  # beginning of a metric's name -> tools
    "Dice": ("nnU-Net",),
    "IoU": ("nnU-Net",),
    "volume error": ("nnU-Net",),
    "absolute volume error": ("nnU-Net",),
    "NSD": ("MONAI",),
    "HD95": ("MONAI",),
    "lesion": (OURS, "SciPy"),
    "ECE": (OURS,),
    "Brier": (OURS,),
}


def tool_versions() -> dict[str, str]:
    """Of all tools that metrics are taken with."""
    return {OURS: __version__, **{name: version(package) for name, package in PACKAGES.items()}}


def taken_by(metrics: Iterable[str]) -> str:
    """'IoU: nnU-Net 2.8.1; NSD, HD95: MONAI 1.6.1', metrics in the order given.

    >>> taken_by(["IoU"]) == f"IoU: nnU-Net {tool_versions()['nnU-Net']}"
    True
    """
    versions, by_tool = tool_versions(), dict[tuple[str, ...], list[str]]()
    for metric in metrics:
        tools = next(tools for beginning, tools in TAKEN_BY.items() if metric.startswith(beginning))
        by_tool.setdefault(tools, []).append(metric)
    told = {tools: " with ".join(f"{tool} {versions[tool]}" for tool in tools) for tools in by_tool}
    return "; ".join(f"{', '.join(named)}: {told[tools]}" for tools, named in by_tool.items())
