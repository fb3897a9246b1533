"""Text tables for the terminal."""

from collections.abc import Mapping, Sequence

from nnunet_skipx.system.escaping import terminal


def text_table(rows: Sequence[Mapping[str, str]]) -> str:
    """The rows, of which each has the same keys, as left-aligned columns under their keys."""
    lines = [list(map(terminal, line)) for line in (rows[0], *(row.values() for row in rows))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (zip(line, widths, strict=True) for line in lines)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in padded)
