"""The one check of names that come from a file and become names of files and folders, or are printed."""

import difflib
import unicodedata
from collections.abc import Iterable
from pathlib import Path

LONGEST_NAME = 200  # bytes; file systems allow 255, and endings come on top
TURNING = {*"\u200e\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}  # the direction of text


def checked_name(name: object, what: str, source: Path | str) -> str:
    """The name, if it can be that of a file or a folder, and of none outside of where it belongs.

    Raises:
        ValueError: says what (`what`) in which file (`source`) it is, and why not.
    """
    if not isinstance(name, str) or unfit_name(name):
        why = unfit_name(name) if isinstance(name, str) else "is no text"
        raise ValueError(f"{source} has {what} {name!r}, which {why}: take the file from where it was made")
    return name


def unfit_name(name: str) -> str:
    """Why a text cannot be the name of a file or a folder; empty where it can."""
    if not name or name != name.strip():
        return "is empty or has blanks at its ends"
    if name.startswith("."):
        return "begins with a dot"
    if wrong := {"/", "\\"} & set(name):
        return f"contains {min(wrong)}"
    if len(name.encode(errors="surrogatepass")) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes"
    return unfit_text(name)


def unfit_text(text: str) -> str:
    """Why a text cannot be printed on a line: control characters, and those that turn the direction of writing."""
    wrong = [character for character in text if is_control(character)]
    return f"contains the character {wrong[0]!a}" if wrong else ""


def is_control(character: str) -> bool:
    """Whether a terminal or a page would act on it instead of showing it; line breaks are among them."""
    return character in TURNING or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The words that suggest the likeliest name, to be put behind the wrong one; empty where none is alike.

    >>> did_you_mean("UTAnet", ["XUNet", "UTANet"])
    ' (did you mean UTANet?)'
    """
    by_small_letters = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), by_small_letters, 1)
    return f" (did you mean {by_small_letters[close[0]]}?)" if close else ""
