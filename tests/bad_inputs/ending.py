"""How a command ends, called in this process: an exception that leaves it is a traceback, which fails the test."""

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from nnunet_skipx.cli.main import main

CURE = re.compile(r": \S|; \S|, expected |, or |\bgive\b|\btakes\b")


@dataclass(frozen=True)
class Ending:
    """Exit status, and what was printed."""

    status: int
    out: str
    err: str


def ending(*command: object) -> Ending:
    """Run `skipx` with these words."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main([str(word) for word in command])
        except SystemExit as error:  # argparse's
            status = int(error.code or 0)
    return Ending(status, out.getvalue(), err.getvalue())


def assert_refused(end: Ending, *names: object) -> None:
    """One sentence with all of these names, and what was expected or cures it."""
    assert end.status == 2, end
    assert "Traceback" not in end.err
    line = next((line for line in end.err.splitlines() if re.match("skipx[ :]", line)), "")
    assert line, end
    sentence = end.err[end.err.index(line) :].strip()
    subject, _, rest = sentence.partition(": ")
    assert subject.startswith("skipx")
    for name in names:
        assert str(name) in rest, f"{name} is not in: {sentence}"
    assert CURE.search(rest) or end.err.startswith("usage: "), f"no cure: {sentence}"


def assert_found(end: Ending, *names: object) -> None:
    """`skipx data check` has gone through, and a line about a problem has all of these names."""
    assert end.status == 1, end
    lines = [line for line in end.out.splitlines() if line.startswith("problem: ")]
    assert any(all(str(name) in line for name in names) for line in lines), (names, end.out)
    assert "wrote " in end.out
