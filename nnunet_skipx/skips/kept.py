"""Which skips of a U-Net are kept: a digit for each, full resolution first, 1 where it is kept, 0 where it is cut."""

from typing import Literal, get_args

Ablation = Literal["cut", "alone", "each"]
ABLATIONS: tuple[str, ...] = get_args(Ablation)


def kept_skips(kept: str, skips: int) -> tuple[bool, ...]:
    """What "none", "all" or a mask says of so many skips, full resolution first.

    Raises:
        ValueError: it is none of these, or the mask is of another number of skips.

    >>> kept_skips("011", 3), kept_skips("none", 2)
    ((False, True, True), (False, False))
    """
    if kept in ("none", "all"):
        return (kept == "all",) * skips
    example = "0" + "1" * (skips - 1)
    if not kept or set(kept) - {"0", "1"}:
        raise ValueError(
            f"{kept!r} does not say which skips are kept: write a digit for each, full resolution first, 1 where it is "
            f"kept and 0 where it is cut, such as {example}"
        )
    if len(kept) != skips:
        raise ValueError(
            f"{kept} says which of {len(kept)} skips are kept, but the U-Net of these plans has {skips}: write {skips} "
            f"digits, full resolution first, such as {example}"
        )
    return tuple(digit == "1" for digit in kept)


def masks(skips: int, ablation: Ablation) -> list[str]:
    """Each skip cut, or kept, alone, or both, as masks that are neither all nor none; the finest skip first.

    >>> masks(3, "cut"), masks(3, "alone"), masks(2, "each")
    (['011', '101', '110'], ['100', '010', '001'], ['01', '10'])
    """
    digits = {"cut": ("0",), "alone": ("1",), "each": ("0", "1")}[ablation]
    found = [
        "".join(digit if skip == this else "10"[int(digit)] for skip in range(skips))
        for digit in digits
        for this in range(skips)
    ]
    return [mask for mask in dict.fromkeys(found) if len(set(mask)) > 1]
