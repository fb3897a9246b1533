"""What a paper says of how rows were evaluated and tested: sentences, each only where its test was made."""

from collections.abc import Sequence
from importlib.metadata import version

from nnunet_skipx import __version__
from nnunet_skipx.nnunet.evaluated import ensemble_told
from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.margins import NONINFERIORITY_TEST
from nnunet_skipx.report.pooling import pooled_over
from nnunet_skipx.report.references import (
    BENAVOLI,
    HARTUNG_KNAPP,
    HOLM,
    MCNEMAR,
    OF_METRICS,
    PAULE_MANDEL,
    SATTERTHWAITE,
    TOST,
    References,
)
from nnunet_skipx.report.wording import EMPTY_RULES, counted, law_words, listed
from nnunet_skipx.results.tools import taken_by
from nnunet_skipx.statistics.contrasts import Contrast
from nnunet_skipx.statistics.metric import DICE, base_name, metric_of, quantity


def evaluation_sentences(comparison: Comparison, cite: References) -> list[str]:
    """Metrics, the test and what the verdicts are."""
    contrasts = comparison.contrasts
    sentences = [
        f"Every case was segmented by {_segmented_by(comparison)}, and scored by Dice, averaged over classes and "
        "replicates; means are over cases",
        *_patients(comparison),
        comparison.convention,
        EMPTY_RULES[comparison.empty] if contrasts else "",
        *_further_metrics(comparison, cite),
    ]
    return [*sentences, *_tests(comparison, cite)] if contrasts else sentences


def beside_sentences(comparison: Comparison, cite: References) -> list[str]:
    """Margins, tails, covariates, sizes and ranks: what stands beside the verdicts."""
    if not comparison.contrasts:
        return []
    return [
        *_margins(comparison, cite),
        *_tails(comparison, cite),
        *_covariates(comparison, cite),
        *_sizes(comparison, cite),
        "The probability of a false claim is the one-sided p with a flat prior, not adjusted; the Bayesian signed-rank "
        f"test {cite(BENAVOLI)} with the same region of equivalence takes the trained networks as given",
        *_ranks(comparison),
    ]


def pooled_paragraph(comparisons: Sequence[Comparison], cite: References) -> str:
    """The model over data sets; empty where no row was compared in two of them."""
    found = pooled_over(comparisons)
    if not found:
        return ""
    sentences = [
        f"Mean differences in Dice to the baseline were combined over {counted(len(comparisons), 'data set')} by a "
        f"random-effects model (variance between data sets after Paule and Mandel {cite(PAULE_MANDEL)}, interval after "
        f"Hartung and Knapp {cite(HARTUNG_KNAPP)}, a t law of data sets less one), and tested for a difference and for "
        f"equivalence within ± {comparisons[0].rope:g} Dice {cite(TOST)}, both adjusted by Holm's method {cite(HOLM)} "
        f"over {counted(len(found), 'row')} at a level of 0.05",
        "Data sets count as a sample of their kind; those in which nothing could be decided for a row are left out of "
        "its mean",
    ]
    return as_text(sentences)


def software() -> str:
    """What counted."""
    return f"The analysis was made with nnunet-skipx {__version__} and scipy {version('scipy')}"


def as_text(sentences: Sequence[str]) -> str:
    """Sentences as a paragraph, each with its full stop."""
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences if sentence)


def ways(contrasts: Sequence[Contrast]) -> set[str]:
    """How the noise of training is in the tests that were made."""
    return {contrast.difference.interval.training for contrast in contrasts if contrast.difference.laws}


def _tests(comparison: Comparison, cite: References) -> list[str]:
    """Estimand, both tests and what the verdicts are."""
    contrasts = comparison.contrasts
    estimated = "replicates" in ways(contrasts)
    freedom = f" (degrees of freedom after Satterthwaite {cite(SATTERTHWAITE)})" if estimated else ""
    law = law_words(contrasts, f" whose variance is estimated from the replicates{freedom}")
    if not law:
        return ["No difference could be tested, as no comparison has enough cases that differ"]
    return [
        "The estimand is the mean paired difference in Dice over cases and trained networks, tested by a t-test "
        f"{law}, which also gives its 95 % confidence interval",
        f"Equivalence within ± {comparison.rope:g} Dice was tested by two one-sided t-tests {cite(TOST)}",
        f"Both p were adjusted by Holm's method {cite(HOLM)} over {counted(contrasts[0].comparisons, 'comparison')} "
        "at a level of 0.05; where neither test rejects, the comparison is called undecided",
    ]


def _segmented_by(comparison: Comparison) -> str:
    folds = comparison.ensemble
    if not folds:
        return "the network of the fold that was not trained on it"
    if len(folds) == 1:
        return f"the network of fold {folds[0]}"
    return f"the {ensemble_told(folds)} (nnU-Net's mean of their logits)"


def _patients(comparison: Comparison) -> list[str]:
    clusters = comparison.rows[0].mean.clusters
    if clusters is None:
        return []
    return [f"The {comparison.table['case'].nunique()} cases are of {clusters} patients, who count as the sample"]


def _further_metrics(comparison: Comparison, cite: References) -> list[str]:
    others = [metric for metric in comparison.table["metric"].unique() if metric != DICE]
    if not others:
        return []
    papers = [text for start, of in OF_METRICS.items() if any(o.startswith(start) for o in others) for text in of]
    cited = f" {cite(*dict.fromkeys(papers))}" if papers else ""
    lower = [metric for metric in others if metric_of(metric).sign < 0]
    tools = taken_by(dict.fromkeys(map(base_name, others)))
    told = [f"Further metrics{cited}: {listed(others)} (taken by {tools})"]
    if lower:
        told.append(f"Of {listed(lower)} less is better")
    if comparison.contrasts:
        told.append(
            "They were tested by the same t-test, adjusted within each metric but not over metrics, without a region "
            "of equivalence"
        )
    return told


def _margins(comparison: Comparison, cite: References) -> list[str]:
    told = []
    for margin in comparison.margins:
        mine = [claim for of, claim in comparison.margin_claims if of is margin]
        if mine:
            told.append(
                f"Non-inferiority to {comparison.short(comparison.baseline)} with a margin of "
                f"{quantity(margin.value, margin.metric)} ({margin.origin}) was tested by a {NONINFERIORITY_TEST}, "
                f"adjusted by Holm's method {cite(HOLM)} over {counted(mine[0].comparisons, 'comparison')}"
            )
    return told


def _tails(comparison: Comparison, cite: References) -> list[str]:
    beyond = {tail.metric: tail.threshold for tail in comparison.tails if tail.threshold is not None}
    sides = {metric: "above" if metric_of(metric).sign < 0 else "below" for metric in beyond}
    rules = [f"a mean {metric} {sides[metric]} {threshold:g}" for metric, threshold in beyond.items()]
    if not rules:
        return []
    return [
        f"A case counts as failed with {' or '.join(rules)}; failures were compared with the baseline's by McNemar's "
        f"exact test {cite(MCNEMAR)}, adjusted by Holm's method {cite(HOLM)}, which takes the trained networks as given"
    ]


def _covariates(comparison: Comparison, cite: References) -> list[str]:
    effects = comparison.covariate_effects
    if not effects:
        return []
    names = listed(list(dict.fromkeys(effect.covariate for effect in effects)))
    metrics = listed(list(dict.fromkeys(effect.metric for effect in effects)))
    within = " (within patients where the covariate varies in them)" if any(e.within_patients for e in effects) else ""
    return [
        f"Whether the differences in {metrics} depend on {names} was tested by F-tests on ranks with an effect of "
        f"every fold{within}, adjusted by Holm's method {cite(HOLM)} over all rows and covariates of a metric"
    ]


def _sizes(comparison: Comparison, cite: References) -> list[str]:
    metrics = list(dict.fromkeys(line.metric for line in comparison.size_rows))
    if not metrics:
        return []
    return [
        f"Differences in {listed(metrics)} were also tested in thirds of each class's structures by size, adjusted by "
        f"Holm's method {cite(HOLM)} over all rows and thirds of a metric"
    ]


def _ranks(comparison: Comparison) -> list[str]:
    if len(comparison.rows) < 3:
        return []
    return [
        "Rows were also ranked in every case by Dice, and the ranks averaged; pairs without the baseline were "
        "tested in the same way, adjusted over all of them"
    ]
