"""Numerics of the mechanisms: the same mathematics in less time and memory, on CPUs and GPUs."""
