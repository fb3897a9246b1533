"""The package's measuring functions under the name that scripts of this folder have used."""
from nnunet_skipx.benchmark.measure import Step, describe_machine, paired_seconds, peak_memory, ratio

__all__ = ["Step", "describe_machine", "paired_seconds", "peak_memory", "ratio"]
