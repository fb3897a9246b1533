"""Names from files in four formats, so that none of them is more than text there: one function per format."""

import re

from nnunet_skipx.system.names import is_control

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "{}$&#_%"},
}
# What begins emphasis, code, mathematics or a cell anywhere; a tag or an entity; a link; emphasis at a word's end.
MARKDOWN = (r"[\\`*$|~]", r"[<&](?=[\w/!?#])", r"\](?=[(\[:])", r"(?<![^\W_])_|_(?![^\W_])")
FORMULA = re.compile(r"\s*[=+\-@].")


def terminal(text: str) -> str:
    """One line for a terminal: what it would act on stands there as in Python, an escape as \\x1b."""
    return "".join(ascii(character)[1:-1] if is_control(character) else character for character in text)


def terminal_lines(text: str) -> str:
    """The same for text of several lines."""
    return "\n".join(map(terminal, text.split("\n")))


def latex(text: str) -> str:
    """Text in LaTeX; a bracket at its beginning would be an argument of the line break before."""
    escaped = "".join(LATEX.get(character, character) for character in terminal(text))
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped


def markdown(text: str) -> str:
    """Text in Markdown, within a line or a table's cell."""
    return re.sub("|".join(MARKDOWN), lambda found: f"\\{found[0]}", terminal(text))


def csv(text: str) -> str:
    """A cell that no spreadsheet takes for a formula; the quotes and commas are the writer's."""
    text = terminal(text)
    return f"'{text}" if FORMULA.match(text) else text
