"""The page on trainers' names: which options each takes, which go together, and why the others do not, as asked."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from nnunet_skipx.nnunet.trainer_name import BASELINE, WITHOUT
from nnunet_skipx.training.declared import declared
from nnunet_skipx.training.grammar import OPTIONS, trainer_names
from nnunet_skipx.training.variants import trainer_class

PAGE = "grammar.md"
EXAMPLES = {"{N}": "250", "{mask}": "011"}  # for an option with any number, or with a digit for each skip
ENDS = (". A name is", ". Trainers:")  # of the reason; lists follow
EVERYWHERE = ("twin_twin", "1000epochs", "demo_5epochs", "250epoch")
INTRODUCTION = """# Legal names

Made from the grammar itself: every option alone and every pair was asked for, and what was refused stands here with the
reason that the commands give. What the options are for: [trainers' names](trainers.md).

A name is a trainer and options in any order, each at most once. All options that a trainer takes go together, but for
what is listed as refused; a longer name with such a group in it is refused, too."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page, whose content is not in docs/."""
    files.append(File.generated(config, PAGE, content=grammar_page()))
    return files


def grammar_page() -> str:
    """All trainers."""
    example = trainer_names()[-1]
    refused = {option: refusal(example, [option]) for option in EVERYWHERE}
    everywhere = table(("refused everywhere, such as", "why"), {f"`{example}_{o}`": why for o, why in refused.items()})
    general = table(("general option", "what it does"), {spelled([option]): text for option, text in OPTIONS.items()})
    return "\n\n".join([INTRODUCTION, general, everywhere, *map(section, [BASELINE, *trainer_names()])]) + "\n"


def section(trainer: str) -> str:
    """Options of one trainer, what it does not take, and what does not go together."""
    options = declared(trainer).options
    own = {spelled([option]): text for option, text in options.items() if option not in OPTIONS}
    general = [spelled([option]) for option in OPTIONS if option in options]
    lacks = {option: refusal(trainer, [option]) for option in OPTIONS if option not in options}
    parts = [
        f"## {trainer}",
        declared(trainer).description,
        table(("option of its own", "what it does"), own),
        f"General options: {', '.join(general)}.",
        table(("refused", "why"), {spelled(group): why for group, why in refusals(trainer, options).items()}),
        table(("not taken", "why"), {spelled([option]): why for option, why in lacks.items()}),
    ]
    return "\n\n".join(filter(None, parts))


def refusals(trainer: str, options: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Groups of options that do not go together, with the reason; none of which holds a smaller one."""
    companions = {option: companion(trainer, option, options) for option in options}
    found = {(option,): refusal(trainer, [option]) for option, others in companions.items() if others}
    removals = [option for option in options if option.startswith(WITHOUT)]
    larger = (itertools.combinations(removals, size) for size in range(3, len(removals) + 1))
    for group in itertools.chain(itertools.combinations(options, 2), *larger):
        if any(len(known) > 1 and set(known) <= set(group) for known in found):
            continue
        names = dict.fromkeys(itertools.chain.from_iterable((option, *companions[option]) for option in group))
        if why := refusal(trainer, list(names)):
            found[group] = why
    return found


def companion(trainer: str, option: str, options: Mapping[str, str]) -> tuple[str, ...]:
    """What an option that is refused alone goes together with."""
    if not refusal(trainer, [option]):
        return ()
    return next((other,) for other in options if other != option and not refusal(trainer, [option, other]))


def refusal(trainer: str, options: Sequence[str]) -> str:
    """Why there is no trainer of this name; empty where there is one."""
    name = "_".join([trainer, *options])
    for field, value in EXAMPLES.items():
        name = name.replace(field, value)
    try:
        trainer_class(name)
    except ValueError as error:
        reason = str(error).removeprefix(f"{name!r}: ").removeprefix(f"{name!r} ")
        for end in ENDS:
            reason = reason.partition(end)[0]
        return reason
    return ""


def spelled(options: Sequence[str]) -> str:
    """As it stands at the end of a name."""
    return f"`{''.join(f'_{option}' for option in options)}`"


def table(head: tuple[str, str], rows: Mapping[str, str]) -> str:
    """Markdown; empty without rows."""
    return "\n".join(["| {} | {} |".format(*head), "|---|---|", *lines(rows)]) if rows else ""


def lines(rows: Mapping[str, str]) -> Iterator[str]:
    for first, second in rows.items():
        yield f"| {first} | {second} |".replace("\n", " ")
