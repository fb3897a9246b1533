"""What a paper says of how a comparison was made, as far as files tell it: to be copied, and checked by its authors."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from nnunet_skipx import __version__
from nnunet_skipx.nnunet.evaluated import ensemble_told
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.wording import EMPTY_RULES, listed, matched_by, without
from nnunet_skipx.results.citations import NNUNET
from nnunet_skipx.results.schedules import STEPS
from nnunet_skipx.results.tools import taken_by
from nnunet_skipx.statistics.contrasts import Contrast
from nnunet_skipx.statistics.metric import base_name

HOLM = "Holm S. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6 (1979)."
TOST = (
    "Schuirmann DJ. A comparison of the two one-sided tests procedure and the power approach for assessing the "
    "equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics 15 (1987)."
)
SATTERTHWAITE = (
    "Satterthwaite FE. An approximate distribution of estimates of variance components. Biometrics Bulletin 2 (1946)."
)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NOTED = {STEPS: "epochs x iterations", "optimiser": "optimiser and learning rate", "precision": "precision"}


def methods(comparison: Comparison) -> list[str]:
    """Paragraphs: what was trained, how it was evaluated; then the references that they number, one each."""
    references = references_of(comparison)
    numbers = {text: f"[{number}]" for number, text in enumerate(references, start=1)}
    told = [training_paragraph(comparison, numbers), evaluation_paragraph(comparison, numbers)]
    return [*told, *(f"{numbers[text]} {text}" for text in references)]


def references_of(comparison: Comparison) -> list[str]:
    """nnU-Net's paper, those of the rows, and of the tests, each once."""
    of_rows = [text for text in comparison.citations.values() if text]
    tests = [HOLM, TOST] if comparison.contrasts else []
    random_effect = [SATTERTHWAITE] if "replicates" in _ways(comparison.contrasts) else []
    return list(dict.fromkeys([NNUNET, *of_rows, *tests, *random_effect]))


def training_paragraph(comparison: Comparison, numbers: Mapping[str, str]) -> str:
    """Rows, data and trainings."""
    table, baseline = comparison.table, comparison.baseline
    rows = [row.name for row in comparison.rows]
    cited = {row: comparison.short(row) + _number(comparison.citations.get(row), numbers) for row in rows}
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
        f"All networks were trained through nnU-Net {numbers[NNUNET]} ({models}) on the same folds, "
        + (
            f"{_times(int(replicates.max()))} in each"
            if replicates.nunique() == 1
            else f"in each {_each(comparison, {str(row): _times(int(n)) for row, n in replicates.items()})}"
        ),
        *twin_sentences(comparison),
        *noted_sentences(comparison),
        f"Versions: {_versions(comparison)}",
    ]
    return " ".join(f"{sentence}." for sentence in sentences)


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


def evaluation_paragraph(comparison: Comparison, numbers: Mapping[str, str]) -> str:
    """Metrics and tests."""
    contrasts = comparison.contrasts
    others = [metric for metric in comparison.table["metric"].unique() if metric != "Dice"]
    sentences = [
        f"Every case was segmented by {_segmented_by(comparison)}, and scored by Dice, averaged over classes and "
        "replicates; means are over cases",
        comparison.convention.rstrip("."),
        EMPTY_RULES[comparison.empty].rstrip(".") if contrasts else "",
        f"Further metrics: {listed(others)} (taken by {taken_by(dict.fromkeys(map(base_name, others)))})"
        if others
        else "",
    ]
    if contrasts:
        count = contrasts[0].comparisons
        sentences += [
            "The estimand is the mean paired difference in Dice over cases and trained networks, tested by a t-test "
            + _law(contrasts, numbers)
            + ", which also gives its 95 % confidence interval",
            f"Equivalence within ± {comparison.rope:g} Dice was tested by two one-sided t-tests {numbers[TOST]}",
            f"Both p were adjusted by Holm's method {numbers[HOLM]} over {count} comparison{'s' if count > 1 else ''} "
            "at a level of 0.05; where neither test rejects, the comparison is called undecided",
        ]
    sentences.append(f"The analysis was made with nnunet-skipx {__version__} and scipy {version('scipy')}")
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _law(contrasts: Sequence[Contrast], numbers: Mapping[str, str]) -> str:
    """How the noise of training is in the test."""
    ways = _ways(contrasts)
    if ways == {"unknown"}:
        return "over cases (it does not know the noise of training, so that nothing is decided)"
    if ways == {"replicates"}:
        return (
            "with the trained network as a random effect whose variance is estimated from the replicates (degrees of "
            f"freedom after Satterthwaite {numbers[SATTERTHWAITE]})"
        )
    return "over fold means or over cases, whichever has the wider interval"


def _design(comparison: Comparison) -> str:
    return "" if comparison.ensemble else f"in a cross-validation of {_folds(comparison.table['fold'].nunique())}"


def _segmented_by(comparison: Comparison) -> str:
    folds = comparison.ensemble
    if not folds:
        return "the network of the fold that was not trained on it"
    if len(folds) == 1:
        return f"the network of fold {folds[0]}"
    return f"the {ensemble_told(folds)} (nnU-Net's mean of their logits)"


def _ways(contrasts: Sequence[Contrast]) -> set[str]:
    return {contrast.difference.interval.training for contrast in contrasts}


def _versions(comparison: Comparison) -> str:
    torch = {row: facts["torch"] for row, facts in comparison.provenance.items() if "torch" in facts}
    trained = f"PyTorch {_each(comparison, torch)} for training; " if torch else ""
    return f"{trained}nnunetv2 {version('nnunetv2')} and nnunet-skipx {__version__} where this was written"


def _each(comparison: Comparison, values: Mapping[str, str]) -> str:
    """The value, where it is the same for all; else that of each row."""
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return "; ".join(f"{comparison.short(row)} {value}" for row, value in values.items())


def _number(reference: str | None, numbers: Mapping[str, str]) -> str:
    """A reference's number, [?] where a network's is not known, nothing for what is none."""
    return "" if reference is None else f" {numbers.get(reference, '[?]')}"


def _word(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def _folds(count: int) -> str:
    return f"{_word(count)} fold{'' if count == 1 else 's'}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{_word(count)} times")
