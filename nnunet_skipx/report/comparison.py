"""One data set's part of a report: what it is made from, and the numbers that follow from it."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnunet_skipx.datasets.protocol import Protocol
from nnunet_skipx.inspection.records import Inspection
from nnunet_skipx.nnunet.evaluated import ensemble_told
from nnunet_skipx.report.claims import Claim, claims
from nnunet_skipx.report.covariates import covariate_sentences
from nnunet_skipx.report.failed_trainings import failed_trainings
from nnunet_skipx.report.failures import RowTail, row_tails
from nnunet_skipx.report.families import families_compared
from nnunet_skipx.report.margins import Claims, margin_claims, margin_sentences
from nnunet_skipx.report.names import short_names, shortener
from nnunet_skipx.report.twins import trainer_in, twins_among
from nnunet_skipx.report.wording import TRAINED, counted, how_judged, sentence, training_caveat
from nnunet_skipx.results.preregistration import Margin
from nnunet_skipx.results.row_cost import RowCost
from nnunet_skipx.results.sizes import Sizes
from nnunet_skipx.results.training_log import TrainingLog
from nnunet_skipx.statistics.by_size import SizeRow, size_rows
from nnunet_skipx.statistics.contrasts import Contrast, MetricRow, Row, contrasts, metric_rows, summary_rows
from nnunet_skipx.statistics.families import FamilyContrast
from nnunet_skipx.statistics.means import ROPE
from nnunet_skipx.statistics.metric import DICE, found_in
from nnunet_skipx.statistics.ranking import Ranking, rank_models
from nnunet_skipx.statistics.scores import Empties, EmptyRule, Scores, case_table, replicate_table, row_scores
from nnunet_skipx.statistics.significance import Significance, significance
from nnunet_skipx.statistics.subgroups import CovariateEffect, covariate_effects
from nnunet_skipx.statistics.tails import FAILURE

# Beside Dice: the share of the boundary that is right, and how far it is off where structures may be missed.
DETAILED = ("NSD", "HD95 with misses")


@dataclass(frozen=True)
class Comparison:
    """The rows of one data set. Parts that are left out drop their section.

    table: tidy, of `collect`, and of `atlas.atlas_table` if wanted.
    baseline: the row that the others are compared with. rope: half the region of practical equivalence, in Dice.
    data_protocol: that the data set names.
    incomplete: a sentence that says what is missing; empty if nothing is. The report carries it everywhere.
    test_run: a sentence that says who was trained for less than nnU-Net's schedule; empty likewise.
    convention: how Dice counts where a class is absent, in words. empty: how it counts between rows.
    margins: of non-inferiority, and where they come from. covariates: of the cases, a line each. failure: by metric,
    beyond which mean a case counts as failed. detailed: metrics, with or without settings, that have also tails, sizes
    and covariates, as far as they were taken.
    presence: which structures were there and which were found, of `results.presence`. sizes: of the former.
    costs, logs (by fold), provenance (name -> value), inspections: by row.
    model_folders, images_folder, labels_folder: for the pictures: folders by row, imagesTr, labelsTr.
    settings: name -> value, printed as they are.
    notes: sentences that a reader must know, for example what was shortened.
    citations: of the rows' trainers, of `results.citations`.
    ensemble: the folds whose networks predicted the test set that the cases are of; empty for a cross-validation.
    named_among: the rows among which names are shortened; empty for those of the table.
    """

    dataset: str
    table: pd.DataFrame
    baseline: str
    dataset_json: dict[str, Any]
    data_protocol: Protocol | None = None
    rope: float = ROPE
    incomplete: str = ""
    test_run: str = ""
    convention: str = ""
    empty: EmptyRule = "scored"
    margins: Sequence[Margin] = ()
    covariates: pd.DataFrame | None = None
    failure: Mapping[str, float] = field(default_factory=lambda: FAILURE)
    detailed: Sequence[str] = DETAILED
    presence: pd.DataFrame | None = None
    sizes: Sizes | None = None
    costs: Mapping[str, RowCost] = field(default_factory=dict)
    logs: Mapping[str, Mapping[int, TrainingLog]] = field(default_factory=dict)
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    inspections: Mapping[str, Inspection] = field(default_factory=dict)
    model_folders: Mapping[str, Path] = field(default_factory=dict)
    images_folder: Path | None = None
    labels_folder: Path | None = None
    settings: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    ensemble: Sequence[int] = ()
    named_among: Sequence[str] = ()
    citations: Mapping[str, str] = field(default_factory=dict)

    @functools.cached_property
    def rows(self) -> list[Row]:
        """Dice per row."""
        return summary_rows(self.table)

    @functools.cached_property
    def contrasts(self) -> list[Contrast]:
        """Each row against the baseline and against its twins, in Dice."""
        beside = twins_among([row.name for row in self.rows])
        return contrasts(self.table, self.baseline, self.rope, twins=beside, rule=self.empty)

    @functools.cached_property
    def metric_rows(self) -> list[MetricRow]:
        """The numbers of metrics other than Dice."""
        return metric_rows(self.table, self.baseline, self.empty)

    @functools.cached_property
    def in_detail(self) -> list[str]:
        """The metrics of `detailed` and `failure` that were taken, as the table names them, Dice first."""
        taken = list(self.table["metric"].unique())
        found = {found_in(asked, taken) for asked in (*self.detailed, *self.failure)}
        return [DICE, *(name for name in taken if name in found and name != DICE)]

    def rope_in(self, metric: str) -> float:
        """Half the region of equivalence; NaN for any metric but Dice."""
        return self.rope if metric == DICE else float("nan")

    @functools.cached_property
    def size_rows(self) -> list[SizeRow]:
        """By size of the structures; nothing where sizes are not known, or of too few cases."""
        if self.sizes is None:
            return []
        told = self.table, self.sizes.table, self.baseline
        return [line for metric in self.in_detail for line in size_rows(*told, self.rope_in(metric), metric)]

    @property
    def scores(self) -> dict[str, Scores]:
        """Dice of every structure, by row."""
        return self.scores_in[DICE]

    @functools.cached_property
    def scores_in(self) -> dict[str, dict[str, Scores]]:
        """The values of every structure, by metric in detail and row."""
        return {metric: row_scores(self.table, metric) for metric in self.in_detail}

    @functools.cached_property
    def case_means(self) -> pd.DataFrame:
        """Mean Dice over classes, a line per case (fold, case), a column per row, all rows on equal terms."""
        return case_table(self.scores, self.empty)[0]

    @functools.cached_property
    def empties(self) -> Empties:
        """Structures that not all rows have a value of."""
        return case_table(self.scores, self.empty)[1]

    def pair_means(self, contrast: Contrast) -> pd.DataFrame:
        """Mean Dice over classes as the contrast compares it, a line per case, a column for each of its two rows."""
        return case_table({name: self.scores[name] for name in (contrast.row, contrast.against)}, self.empty)[0]

    @functools.cached_property
    def ranking(self) -> Ranking:
        """Mean ranks of the rows over the cases."""
        return rank_models(replicate_table(self.scores, self.empty), next(iter(self.scores.values())).clusters)

    @functools.cached_property
    def significance(self) -> Significance:
        """Which rows differ, each from each."""
        return significance(self.scores, self.contrasts, self.empty)

    @functools.cached_property
    def signs(self) -> pd.DataFrame:
        """`Significance.sign` in the order of the mean ranks, best first."""
        best_first = self.ranking.table.sort_values("mean_rank", kind="stable").index
        return self.significance.sign.loc[best_first, best_first]

    @functools.cached_property
    def claims(self) -> list[Claim]:
        """How sure each contrast is."""
        return claims(self.contrasts, self._differences, self.rope)

    @functools.cached_property
    def margin_claims(self) -> Claims:
        """What every margin allows to say."""
        by_metric: dict[str, list[Contrast]] = {DICE: list(self.contrasts)}
        for line in self.metric_rows:
            by_metric.setdefault(line.metric, []).extend([line.contrast] if line.contrast else [])
        return margin_claims(self.margins, by_metric)

    def _differences(self, contrast: Contrast) -> np.ndarray:
        means = self.pair_means(contrast)
        differences: np.ndarray = (means[contrast.row] - means[contrast.against]).to_numpy(dtype=float)
        return differences

    @functools.cached_property
    def tails(self) -> list[RowTail]:
        """The bad cases of every row, by metric in detail."""
        return [
            tail
            for metric, scores in self.scores_in.items()
            for tail in row_tails(
                case_table(scores, self.empty)[0],
                metric,
                self.baseline,
                next((value for asked, value in self.failure.items() if found_in(asked, [metric])), None),
                scores[self.baseline].clusters,
            )
        ]

    @functools.cached_property
    def covariate_effects(self) -> list[CovariateEffect]:
        """Contrasts with the baseline by covariates; none without covariates."""
        if self.covariates is None:
            return []
        return [
            effect
            for metric, scores in self.scores_in.items()
            for effect in covariate_effects(scores, self.baseline, self.covariates, self.empty, metric)
        ]

    @functools.cached_property
    def families(self) -> list[FamilyContrast]:
        """What networks have in common, compared."""
        return families_compared(self.case_means.mean().to_dict(), self.removed, self.rope)

    @property
    def further_sentences(self) -> list[str]:
        """What margins and covariates allow to say."""
        return [*margin_sentences(self.margins, self.margin_claims), *covariate_sentences(self.covariate_effects)]

    @functools.cached_property
    def sentences(self) -> list[str]:
        """What the numbers allow to say, one per contrast."""
        return [
            sentence(c, self.rope, self.removed(c.against), self.cost(c.row).claimed, self.trained)
            for c in self.contrasts
        ]

    @functools.cached_property
    def short_names(self) -> dict[str, str]:
        """Row -> its name on the page."""
        return short_names(self.named_among or [row.name for row in self.rows])

    def short(self, name: str) -> str:
        """A row's name on the page."""
        return self.short_names.get(name, name)

    @functools.cached_property
    def shortened(self) -> Callable[[str], str]:
        """Puts the rows' names as the page has them into a text."""
        return shortener(self.short_names)

    @property
    def cautions(self) -> list[str]:
        """What a reader must know before any verdict: what is missing, was cut short, or cannot be told."""
        return [text for text in (self.incomplete, self.test_run, *self.of_trainings) if text]

    @property
    def judged(self) -> list[str]:
        """How the verdicts were reached, in a sentence; none without comparisons."""
        return [how_judged(self.contrasts)] if self.contrasts else []

    @property
    def caveats(self) -> list[str]:
        """What stands beside every verdict: how it was reached, and what the trainings cannot tell."""
        return [text for text in (*self.judged, *self.of_trainings) if text]

    @property
    def of_trainings(self) -> tuple[str, str]:
        """What the trainings cannot tell, and which of them failed; empty texts where nothing is to say."""
        failed = failed_trainings(self.table, self.presence, self.trained)
        return training_caveat(self.contrasts, self.trained), failed

    @property
    def trained(self) -> str:
        """What predicted all cases of a fold, or of the test set."""
        if not self.ensemble:
            return TRAINED
        return "ensemble" if len(self.ensemble) > 1 else "network"

    @property
    def protocol(self) -> str:
        """Data set with the name of its protocol, cases and folds in one line."""
        networks = self.table[self.table["plans"] != "-"]
        models = ", ".join(sorted(set(networks["plans"] + " " + networks["configuration"])))
        name = f"{self.dataset}{f', {self.data_protocol.name}' if self.data_protocol else ''}"
        cases, folds = self.table["case"].nunique(), sorted(self.table["fold"].unique())
        if self.ensemble:
            return f"{name}: test set of {cases} cases, {ensemble_told(self.ensemble)}; {models}"
        return (
            f"{name}: {counted(cases, 'case')}, validated once each in "
            f"{len(folds)} fold{'s' if len(folds) > 1 else ''} ({', '.join(map(str, folds))}); {models}"
        )

    def cost(self, name: str) -> RowCost:
        """That of a row; all unknown where none was given."""
        return self.costs.get(name, RowCost())

    def removed(self, name: str) -> tuple[str, ...]:
        """The ingredients that a twin lacks: as its trainer says, else as its name does; empty where neither says."""
        return self.cost(name).removed or trainer_in(name).left_out

    def contrast_with_baseline(self, name: str) -> Contrast | None:
        """That of a row; None for the baseline itself."""
        return next((c for c in self.contrasts if c.row == name and c.kind == "baseline"), None)
