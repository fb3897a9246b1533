"""argparse's parser without guesses: near misses are named, and nnU-Net's order of words is explained."""

import argparse
import itertools
import shlex
import sys
from typing import Any

from nnunet_skipx.nnunet.names import is_number
from nnunet_skipx.system.names import did_you_mean


class Parser(argparse.ArgumentParser):
    """Of `skipx` and of each of its subcommands, which argparse makes of the same class.

    letters: what words that stand before any option would be, in nnUNetv2_train's order. note: what else is said then.
    """

    letters: tuple[str, ...] = ("-d", "-c", "-f")
    note = ""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**{**keywords, "allow_abbrev": False})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """argparse's, but what is left over is an error here, where the options are known."""
        words = list(sys.argv[1:] if args is None else args)
        self._require_letters(words)
        self._require_each_once(words)
        found, left = super().parse_known_args(words, namespace)
        if left:
            likeliest = [did_you_mean(word, self._option_string_actions) for word in left if word.startswith("-")]
            self.error(f"unrecognized arguments: {' '.join(left)}{''.join(likeliest[:1])}")
        return found, left

    def _require_letters(self, words: list[str]) -> None:
        """Words without a letter, as in nnUNetv2_train 4 3d_fullres 0, are given theirs in the error."""
        bare = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
        letters = [letter for letter in self.letters if letter in self._option_string_actions]
        if not bare or not letters or self._get_positional_actions():
            return
        same = all(is_number(word) or word.startswith("Dataset") for word in bare)
        pairs = [(letters[0], *bare)] if same else list(zip(letters, bare, strict=False))
        line = shlex.join([*self.prog.split(), *itertools.chain(*pairs), *words[len(bare) :]])
        self.error(f"{shlex.join(bare)} stands without its letters, with them it is: {line}{self.note}")

    def _require_each_once(self, words: list[str]) -> None:
        """An option that stands twice is an error: argparse would take the last and say nothing."""
        named = (word.partition("=")[0] for word in words if word.startswith("-"))
        given = [self._option_string_actions[name] for name in named if name in self._option_string_actions]
        twice = next((action for action in given if given.count(action) > 1 and action.nargs != 0), None)
        if twice is not None:
            cure = "give all its values behind one" if twice.nargs in ("+", "*") else "give it once"
            self.error(f"{'/'.join(twice.option_strings)} stands there twice, and only the last would count: {cure}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """argparse's, with the likeliest choice."""
        if action.choices is not None and value not in action.choices:
            known = list(map(str, action.choices))
            likeliest = did_you_mean(str(value), known)
            raise argparse.ArgumentError(action, f"{value!r} is not there{likeliest}; there are: {', '.join(known)}")

    def _get_option_tuples(self, option_string: str) -> Any:
        """None: argparse would take -device for -d evice where a command has -d alone."""
        return []
