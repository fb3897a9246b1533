"""What a paper says of how a comparison was made, as far as files tell it: to be copied, and checked by its authors."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from nnunet_skipx import __version__
from nnunet_skipx.nnunet.trainer_name import SKIPS
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.methods_evaluation import (
    as_text,
    beside_sentences,
    evaluation_sentences,
    pooled_paragraph,
    software,
)
from nnunet_skipx.report.references import NNUNET, References
from nnunet_skipx.report.twins import trainer_in
from nnunet_skipx.report.wording import listed, matched_by, without
from nnunet_skipx.results.schedules import STEPS

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NOTED = {STEPS: "epochs x iterations", "optimiser": "optimiser and learning rate", "precision": "precision"}


def methods(comparison: Comparison) -> list[str]:
    """Paragraphs: what was trained, how it was evaluated, what stands beside; then the references, one each."""
    cite = References()
    told = [
        training_paragraph(comparison, cite),
        as_text([*evaluation_sentences(comparison, cite), *beside_sentences(comparison, cite), software()]),
    ]
    return [*told, *cite.listed]


def methods_over(comparisons: Sequence[Comparison]) -> list[str]:
    """The paragraph of the model over data sets with its references; empty without one."""
    cite = References()
    told = pooled_paragraph(comparisons, cite)
    return [told, *cite.listed] if told else []


def training_paragraph(comparison: Comparison, cite: References) -> str:
    """Rows, data and trainings."""
    table, baseline = comparison.table, comparison.baseline
    rows = [row.name for row in comparison.rows]
    cited = {row: comparison.short(row) + _number(comparison.citations.get(row), cite) for row in rows}
    others = [cited[row] for row in rows if row != baseline]
    networks = table[table["plans"] != "-"]
    models = listed(sorted(set(networks["configuration"] + " with the plans " + networks["plans"])))
    replicates = table.groupby("row")["replicate"].nunique()
    protocol = f", {comparison.data_protocol.name}" if comparison.data_protocol else ""
    where = (
        f"{'the test set of ' if comparison.ensemble else ''}{comparison.dataset}{protocol} "
        f"({table['case'].nunique()} cases)"
    )
    sentences = [
        f"We compared {listed(others)} with {cited[baseline]} on {where} {_design(comparison)}".rstrip()
        if others
        else f"We evaluated {cited[baseline]} on {where}",
        f"All networks were trained through nnU-Net {cite(NNUNET)} ({models}) on the same folds, "
        + (
            f"{_times(int(replicates.max()))} in each"
            if replicates.nunique() == 1
            else f"in each {_each(comparison, {str(row): _times(int(n)) for row, n in replicates.items()})}"
        ),
        *mask_sentences(rows),
        *twin_sentences(comparison),
        *noted_sentences(comparison),
        comparison.incomplete,
        comparison.test_run,
        f"Versions: {_versions(comparison)}",
    ]
    return as_text(sentences)


def mask_sentences(rows: Sequence[str]) -> list[str]:
    """How to read the masks in the names of rows whose networks lack some skips."""
    masked = [f"_{SKIPS}{mask}" for row in rows for mask in trainer_in(row).masks]
    if not masked:
        return []
    return [f"In {masked[0]} a digit for each skip, full resolution first, says whether it is kept (1) or cut (0)"]


def twin_sentences(comparison: Comparison) -> list[str]:
    """What every twin is for."""
    return [
        f"{comparison.short(c.against)} is a twin of {comparison.short(c.row)}"
        f"{without(comparison.removed(c.against))} at as many {matched_by(c.against)}"
        for c in comparison.contrasts
        if c.kind == "twin"
    ]


def noted_sentences(comparison: Comparison) -> list[str]:
    """What nnU-Net noted of the trainings, once where it is the same for all rows."""
    told = []
    for name, words in NOTED.items():
        values = {row: facts[name] for row, facts in comparison.provenance.items() if name in facts}
        if values:
            told.append(f"{words[0].upper()}{words[1:]}: {_each(comparison, values)}")
    return told


def _design(comparison: Comparison) -> str:
    return "" if comparison.ensemble else f"in a cross-validation of {_folds(comparison.table['fold'].nunique())}"


def _versions(comparison: Comparison) -> str:
    torch = {row: facts["torch"] for row, facts in comparison.provenance.items() if "torch" in facts}
    trained = f"PyTorch {_each(comparison, torch)} for training; " if torch else ""
    return f"{trained}nnunetv2 {version('nnunetv2')} and nnunet-skipx {__version__} where this was written"


def _each(comparison: Comparison, values: Mapping[str, str]) -> str:
    """The value, where it is the same for all; else that of each row."""
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return "; ".join(f"{comparison.short(row)} {value}" for row, value in values.items())


def _number(reference: str | None, cite: References) -> str:
    """A reference's number, [?] where a network's is not known, nothing for what is none."""
    return "" if reference is None else f" {cite(reference) if reference else '[?]'}"


def _word(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def _folds(count: int) -> str:
    return f"{_word(count)} fold{'' if count == 1 else 's'}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{_word(count)} times")
