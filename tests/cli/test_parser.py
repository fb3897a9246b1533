"""Words on the command line: whole, in nnU-Net's letters, and explained where they are not."""

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnunet_skipx.cli.main import build_parser, main
from nnunet_skipx.cli.parser import Parser
from tests.bad_inputs.ending import ending

NNUNETS = {"-d": "DATASET", "-c": "CONFIGURATION", "-tr": "TRAINER", "-f": "FOLD"}


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its subcommands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in dict(action.choices).values():
                yield from parsers(child)


ALL = list(parsers(build_parser()))


def test_every_parser_takes_whole_words() -> None:
    assert len(ALL) > 20
    for parser in ALL:
        assert isinstance(parser, Parser) and not parser.allow_abbrev, parser.prog


@pytest.mark.parametrize("parser", ALL, ids=lambda parser: parser.prog)
def test_a_letter_means_the_same_everywhere(parser: argparse.ArgumentParser) -> None:
    for letter, name in NNUNETS.items():
        action = parser._option_string_actions.get(letter)
        if action is not None:
            assert (action.metavar or name) in (name, "ID"), f"{parser.prog} {letter}"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("bench 4 3d_fullres 0 -tr X", "skipx bench -d 4 -c 3d_fullres -f 0 -tr X"),
        ("bench 4 27 -c 2d -tr X", "skipx bench -d 4 27 -c 2d -tr X"),
        ("profile Dataset004_A 2d -tr nnUNetTrainer", "skipx profile -d Dataset004_A -c 2d -tr nnUNetTrainer"),
        ("report 4", "skipx report -d 4"),
        ("plan 4 -a UTANet", "skipx plan -d 4 -a UTANet"),
        ("universal create 2 4 --id 500", "skipx universal create -d 2 4 --id 500"),
        ("universal extract 500", "skipx universal extract -d 500"),
        ("universal adapt 500 -d 7 -f 0", "skipx universal adapt --id 500 -d 7 -f 0"),
        ("data check 4", "skipx data check -d 4"),
        ("demo hippocampus", "skipx demo -o hippocampus"),
    ],
)
def test_words_without_letters_are_answered_with_the_line_that_has_them(words: str, line: str) -> None:
    end = ending(*words.split())
    assert end.status == 2
    assert f"with them it is: {line}" in end.err
    build_parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("bench --dry", "unrecognized arguments: --dry (did you mean --dry-run?)"),
        ("bench --replicate 3", "(did you mean --replicates?)"),
        ("report -d 4 --lesion", "(did you mean --lesions?)"),
        ("report -d 4 -device cpu", "unrecognized arguments: -device cpu"),
        ("lsit", "'lsit' is not there (did you mean list?)"),
        ("universal extrat", "(did you mean extract?)"),
        ("fetch mds", "(did you mean msd?); there are: msd, btcv"),
        ("convert synaps x -d 4", "(did you mean synapse?)"),
        ("report -d 4 --convention transunt", "(did you mean transunet?)"),
        ("list more", "unrecognized arguments: more"),
    ],
)
def test_a_near_miss_is_named(words: str, answer: str) -> None:
    end = ending(*words.split())
    assert end.status == 2
    assert answer in end.err


def test_the_demo_says_where_its_data_come_from() -> None:
    assert "--data FOLDER or --download, else from a generated phantom" in ending("demo", "hippocampus").err


def test_letters_beside_a_matrix_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "matrix.toml"
    path.write_text("d = 4\nc = '2d'\ntr = 'nnUNetTrainer'\n")
    for words in ("-d 4", "-p nnUNetPlans", "-f 0", "--npz", "--replicates 1", "--skips cut", "--architectures all"):
        assert main(["bench", "--matrix", str(path), *words.split()]) == 2
        assert f"put {words.split()[0]} into that file, or leave it out" in capsys.readouterr().err


def test_a_models_folder_and_letters_are_refused_together(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["inspect", str(tmp_path), "-c", "2d"]) == 2
    assert "which -c says again: leave one of the two out" in capsys.readouterr().err
    assert main(["inspect", "-d", "4"]) == 2
    assert "-c is missing" in capsys.readouterr().err


@pytest.mark.parametrize("parser", ALL, ids=lambda parser: parser.prog)
def test_no_option_is_taken_twice_without_a_word(parser: Parser, capsys: pytest.CaptureFixture) -> None:
    for action in parser._actions:
        if not action.option_strings or action.nargs == 0:
            continue
        with pytest.raises(SystemExit):
            parser.parse_known_args([action.option_strings[0], "1", f"{action.option_strings[-1]}=1"])
        assert "stands there twice, and only the last would count: give " in capsys.readouterr().err


def test_all_values_stand_behind_one_option(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(["report", "-d", "4", "-tr", "nnUNetTrainer", "-tr", "nnUNetTrainerUTANet"])
    assert "-tr stands there twice, and only the last would count: give all its values behind one" in (
        capsys.readouterr().err
    )
