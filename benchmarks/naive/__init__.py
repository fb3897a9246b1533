"""Mechanisms written out as their sources define them, which the fast forms are compared with."""
