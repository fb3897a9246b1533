"""Every command line on a page is one that its program takes; every option that a sentence names is there."""

import argparse
import importlib
import importlib.util
import itertools
import re
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.cli.main import build_parser
from nnunet_skipx.nnunet.names import STOCK_NETWORKS
from nnunet_skipx.training.variants import trainer_class
from tests.docs.pages import PAGES, PYTHONS, CommandLine, command_lines, lines_of, mentions

FILLED_IN = {"DATASET": "4", "FOLD": "0", "ID": "4", "NAME": "msd", "SOURCE": "Task04_Hippocampus"}
OTHERS = ("pytest", "pip", "venv", "build", "twine")  # which have parsers of their own kind
PROGRAMS = {script.name: script for script in entry_points(group="console_scripts")}


class Parsed(BaseException):
    """The program has understood its command line."""


def call(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the program with its arguments until it has parsed them: raises Parsed, or SystemExit as argparse does."""
    original, depth = argparse.ArgumentParser.parse_known_args, itertools.count()

    def parse(parser: argparse.ArgumentParser, *arguments: object, **keywords: object) -> object:
        outermost = next(depth) == 0  # a subcommand's parser is called from within
        result = original(parser, *arguments, **keywords)
        if not outermost:
            return result
        if result[1]:
            parser.error(f"unrecognized arguments: {' '.join(result[1])}")
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", parse)
    program, *arguments = (FILLED_IN.get(word, word) for word in words)
    if program in PYTHONS:
        _, module, *arguments = arguments
        package = bool(importlib.import_module(module).__spec__.submodule_search_locations)
        function = importlib.import_module(f"{module}.__main__" if package else module).main
    else:
        function = PROGRAMS[program].load()
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    function()


def names(lines: list[CommandLine]) -> dict[str, CommandLine]:
    """Lines by their text: what stands on two pages is tried once."""
    return {line.text: line for line in lines}


LINES = names(command_lines())


@pytest.mark.parametrize("text", LINES)
def test_a_command_line_is_understood(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    words = LINES[text].words
    if words[0] in PYTHONS and words[2] in OTHERS:
        assert importlib.util.find_spec(words[2]), f"{LINES[text].place}: there is no module {words[2]}"
        return
    try:
        call(words, monkeypatch)
    except Parsed:
        return
    except SystemExit:
        pass
    pytest.fail(f"{LINES[text].place}: {text}: {capsys.readouterr().err}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_trainers_and_networks_in_command_lines_exist(page: Path) -> None:
    own = set(re.findall(r"^class (\w+)", page.read_text(), re.M))
    for line in [*command_lines(), *mentions()]:
        if not line.place.startswith(f"{page.name}:"):
            continue
        for before, word in zip(line.words, line.words[1:], strict=False):
            if re.fullmatch(r"nnUNetTrainer\w+", word) and word.partition("_")[0] not in own:
                assert trainer_class(word), line.place
            if before == "-a":
                assert word in {*own, *NETWORKS, *STOCK_NETWORKS}, line.place


@pytest.mark.parametrize("mention", names(mentions()).values(), ids=lambda mention: mention.text)
def test_what_a_sentence_calls_exists(mention: CommandLine) -> None:
    program, *words = mention.words
    if program in PYTHONS:
        assert importlib.util.find_spec(words[1]), f"{mention.place}: there is no module {words[1]}"
        return
    if program != "skipx":
        assert program in PROGRAMS or "*" in mention.text, mention.place
        return
    parser = build_parser()
    while words and (commands := subcommands(parser)):
        parser = commands[words.pop(0)]
    for word in words:
        if re.match(r"--?[a-z]", word):
            assert word in parser._option_string_actions, f"{mention.place}: {mention.text} has no {word}"


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a command's subcommands."""
    found = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found[0]) if found else {}


def test_lines_are_found_as_a_user_would_type_them() -> None:
    (line,) = lines_of("page", [(3, "X=1 .venv/bin/skipx bench -d 4 > log  # an hour"), (4, "it's prose")])
    assert line == CommandLine("page:3", ("skipx", "bench", "-d", "4"))
    assert len(LINES) > 50 and len(mentions()) > 100
