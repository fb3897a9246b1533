"""What the site shows beside the pages of this folder: those of the root, and what parsers and code say."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from nnunet_skipx.cli.main import build_parser
from nnunet_skipx.report.sections.order import ORDER

ROOT = Path(__file__).parents[1]
NOTEBOOK = "first_look.ipynb"
ROOT_PAGES = {name: f"{name.partition('.')[0].lower()}.md" for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    pages = {target: (ROOT / name).read_text() for name, target in ROOT_PAGES.items()}
    pages |= {"commands.md": commands_page(), "sections.md": sections_page(), "first_look.md": notebook_page()}
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links between the pages of this folder and those of the root, as the site has them side by side."""
    if page.file.src_uri in ROOT_PAGES.values():
        markdown = markdown.replace("](docs/", "](")
    for name, target in ROOT_PAGES.items():
        markdown = markdown.replace(f"](../{name}", f"]({target}").replace(f"]({name}", f"]({target}")
    return markdown if page.file.src_uri == "first_look.md" else markdown.replace(f"]({NOTEBOOK})", "](first_look.md)")


def notebook_page() -> str:
    """The notebook's cells, one below the other; it is kept without what it prints."""
    cells = nbformat.read(ROOT / "docs" / NOTEBOOK, as_version=4).cells
    parts = [c.source if c.cell_type == "markdown" else f"```python\n{c.source}\n```" for c in cells]
    return "\n\n".join([*parts, f"[The notebook itself]({NOTEBOOK}), to be run: a test does."]) + "\n"


def commands_page() -> str:
    """Every command with its options, as its parser has them."""
    parts = ["# Commands", "What `skipx COMMAND -h` prints, in one place. nnU-Net's own commands stay as they are."]
    for name, parser in leaves(build_parser()):
        parts += [f"## {name}", sentence(parser.description or ""), options_table(parser)]
    return "\n\n".join(filter(None, parts)) + "\n"


def leaves(
    parser: argparse.ArgumentParser, words: str = "skipx", text: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands that do something, with all their words; a parser without a description gets its line of help."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        parser.description = parser.description or text
        yield words, parser
    for group in groups:
        helps = {action.dest: action.help or "" for action in group._choices_actions}
        for name, child in group.choices.items():
            yield from leaves(child, f"{words} {name}", helps.get(name, ""))


def options_table(parser: argparse.ArgumentParser) -> str:
    """A row per argument, but for -h."""
    rows = [
        f"| {spelling(action)} | {cell(action.help or '')} |"
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS
    ]
    return "\n".join(["| argument | meaning |", "|---|---|", *rows]) if rows else "It takes no arguments."


def spelling(action: argparse.Action) -> str:
    """`-d DATASET ...`, or the name of what has a place instead of a letter."""
    many = " ..." if action.nargs in ("+", "*") else ""
    choices = [str(choice) for choice in action.choices or ()]
    metavar = action.metavar if isinstance(action.metavar, str) else ", ".join(choices) or action.dest.upper()
    if not action.option_strings:
        return f"`{metavar}{many}`"
    takes = "" if action.nargs == 0 else f" {metavar}{many}"
    return f"`{', '.join(action.option_strings)}{takes}`"


def cell(text: str) -> str:
    """Text that stays in its cell of a table."""
    return text.replace("%%", "%").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def sections_page() -> str:
    """What a report's page may show, in its order."""
    lines = [
        "# Sections of a report",
        "In their order; one that has nothing to show is left out. [The report](report.md).",
    ]
    names = [build.__name__.removesuffix("_section").replace("_", " ").capitalize() for build in ORDER]
    rows = [f"| {name} | {cell(build.__doc__ or '')} |" for name, build in zip(names, ORDER, strict=True)]
    return "\n\n".join([*lines, "\n".join(["| section | what it shows |", "|---|---|", *rows])]) + "\n"
