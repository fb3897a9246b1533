"""JSON files, read with a rule for what must stand in them: a wrong one ends in a sentence with file, key and cure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnunet_skipx.system.names import unfit_name, unfit_text

Rule = Callable[[Any], None]  # raises UnfitError
LONGEST = 60  # characters of a value that are told


class UnfitError(ValueError):
    """A value that is not what a rule expects; `where` is its place in the file, such as `labels.liver`."""

    def __init__(self, value: Any, expected: str, where: str = "") -> None:
        super().__init__(f"{where or 'the file'} is {shown(value)}, expected {expected}")
        self.value, self.expected, self.where = value, expected, where


class _Missing:
    """The value of a key that is not there."""


def read_json(path: Path, rule: Rule, cure: str = "restore the file") -> Any:
    """The content of a JSON file that follows a rule.

    Raises:
        FileNotFoundError: there is none; with the cure.
        ValueError: it is no JSON, or not such; names the file, the key, what stood there, and the cure.
    """
    if path.is_fifo() or path.is_char_device():
        raise ValueError(f"{path} is a pipe or a device, expected a JSON file: {cure}")  # reading it may never end
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_each_key_once)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing: {cure}") from error
    except IsADirectoryError as error:
        raise ValueError(f"{path} is a folder, expected a JSON file: {cure}") from error
    except (ValueError, RecursionError) as error:  # JSONDecodeError, UnicodeDecodeError, numbers of 5000 digits
        raise ValueError(f"{path} is not valid JSON ({error}): {cure}") from error
    try:
        rule(content)
    except UnfitError as error:
        raise ValueError(f"{path}: {error}: {cure}") from error
    return content


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that stands twice, JSON's readers take the last one and say nothing."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {shown(next(key for key in keys if keys.count(key) > 1))} stands twice")
    return content


def shown(value: Any) -> str:
    """A value as it stands in the file, its beginning where it is long."""
    if value is _Missing:
        return "missing"
    text = json.dumps(value, default=repr)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


@contextmanager
def at(where: str) -> Iterator[None]:
    """What is unfit inside is told with the place where the inside is."""
    try:
        yield
    except UnfitError as error:
        between = "" if not error.where or error.where.startswith("[") else "."
        raise UnfitError(error.value, error.expected, f"{where}{between}{error.where}") from error


def anything(value: Any) -> None:
    """Whatever JSON can say."""


def text(value: Any) -> None:
    """A string that can be printed on a line."""
    if not isinstance(value, str) or unfit_text(value):
        raise UnfitError(value, "a text on one line")


def name(value: Any) -> None:
    """A string that can be the name of a file or a folder."""
    if not isinstance(value, str) or unfit_name(value):
        raise UnfitError(value, "a name (letters, digits and what file names have, no slash)")


def like(pattern: str, words: str) -> Rule:
    """A string that a regular expression matches altogether; `words` say which."""

    def check(value: Any) -> None:
        if not isinstance(value, str) or re.fullmatch(pattern, value, re.ASCII) is None:
            raise UnfitError(value, words)

    return check


def one_of(*values: Any) -> Rule:
    """One of these strings."""

    def check(value: Any) -> None:
        if value not in values:
            raise UnfitError(value, " or ".join(map(repr, values)))

    return check


def truth(value: Any) -> None:
    """true or false."""
    if not isinstance(value, bool):
        raise UnfitError(value, "true or false")


def integer(low: int, high: int) -> Rule:
    """A whole number from `low` to `high`; true and false are none."""

    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise UnfitError(value, f"a whole number from {low} to {high}")

    return check


def number(low: float, high: float, or_nan: bool = False) -> Rule:
    """A number from `low` to `high`; true and false are none, nor is NaN unless it is allowed."""

    def check(value: Any) -> None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not (low <= value <= high or (or_nan and value != value)):  # math.isnan fails on 10**400
            raise UnfitError(value, f"a number from {low:g} to {high:g}{' or NaN' if or_nan else ''}")

    return check


def either(*rules: Rule) -> Rule:
    """What one of the rules allows."""

    def check(value: Any) -> None:
        expected = []
        for rule in rules:
            try:
                return rule(value)
            except UnfitError as error:
                expected.append(error.expected)
        raise UnfitError(value, " or ".join(expected))

    return check


def null(value: Any) -> None:
    """null."""
    if value is not None:
        raise UnfitError(value, "null")


def list_of(rule: Rule, shortest: int = 0, longest: int | None = None) -> Rule:
    """A list whose values follow the rule."""

    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise UnfitError(value, "a list")
        if len(value) < shortest or (longest is not None and len(value) > longest):
            raise UnfitError(value, f"a list of {shortest}{'' if longest is None else f' to {longest}'} or more values")
        for position, entry in enumerate(value):
            with at(f"[{position}]"):
                rule(entry)

    return check


def object_of(rule: Rule, keys: Rule = text, fewest: int = 0) -> Rule:
    """An object with any keys (that follow a rule, too) whose values follow the rule."""

    def check(value: Any) -> None:
        if not isinstance(value, dict) or len(value) < fewest:
            raise UnfitError(value, "an object" + (f" with {fewest} or more keys" if fewest else ""))
        for key, entry in value.items():
            with at(f"the key {shown(key)}"):
                keys(key)
            with at(key):
                rule(entry)

    return check


def record(required: Mapping[str, Rule], optional: Mapping[str, Rule] | None = None) -> Rule:
    """An object with the required keys, perhaps the optional ones, and any others."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise UnfitError(value, f"an object with {', '.join(required) or 'keys'}")
        for key, rule in {**required, **(optional or {})}.items():
            if key in value or key in required:
                with at(key):
                    rule(value.get(key, _Missing))
                    if key not in value:
                        raise UnfitError(_Missing, "a value")

    return check


def all_of(*rules: Rule) -> Rule:
    """What every one of the rules allows, asked in their order."""

    def check(value: Any) -> None:
        for rule in rules:
            rule(value)

    return check


def unique(values: Sequence[Any], what: str, where: str = "") -> None:
    """Raise UnfitError where one of the values stands twice."""
    seen = set()
    for value in values:
        if value in seen:
            raise UnfitError(value, f"every {what} once", where)
        seen.add(value)
