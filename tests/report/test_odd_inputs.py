"""Studies as nobody plans them and everybody has them: every sentence and table is made, and none says nan."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.exports import comparison_json, markdown
from nnunet_skipx.report.further import further_tables
from nnunet_skipx.report.page import terminal_text
from nnunet_skipx.report.tables import contrast_table, metric_table, result_table, size_table
from nnunet_skipx.results.preregistration import Margin
from nnunet_skipx.results.sizes import Sizes
from nnunet_skipx.system.files import finite
from tests.made_up_study import DATASET_JSON
from tests.statistics.test_scores import table_of

ROWS = ("nnUNetTrainer", "nnUNetTrainerA", "nnUNetTrainerA_twin")
NSD, MISSES = "NSD (1 mm)", "HD95 with misses (mm, image diagonal)"
LEVEL = {"Dice": 0.8, NSD: 0.9, MISSES: 3.0, "volume error": 0.0}


def study(cases: int = 20, rows: tuple[str, ...] = ROWS, replicate: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(replicate)
    values = {metric: {row: rng.normal(level, 0.02, (cases, 2)) for row in rows} for metric, level in LEVEL.items()}
    return pd.concat([table_of(rows, metric, replicate) for metric, rows in values.items()], ignore_index=True)


def lacking(table: pd.DataFrame, where: pd.Series) -> pd.DataFrame:
    return table.assign(value=table["value"].where(~where))


WHOLE = study()
FIRST, SECOND = WHOLE["row"] == ROWS[0], WHOLE["row"] == ROWS[1]
ODD = {
    "one case": study(1),
    "one row": study(rows=ROWS[:1]),
    "all NaN": lacking(WHOLE, WHOLE["value"].notna()),
    "one row all NaN": lacking(WHOLE, SECOND),
    "the baseline all NaN": lacking(WHOLE, FIRST),
    "a class nowhere": lacking(WHOLE, WHOLE["label"] == "label 1"),
    "all the same": WHOLE.assign(value=0.5),
    "one fold": WHOLE.assign(fold=0),
    "a second replicate of one row": pd.concat([WHOLE, study(rows=ROWS[1:2], replicate=2)], ignore_index=True),
    "no distance": lacking(WHOLE, WHOLE["metric"] == MISSES),
}


def compared(table: pd.DataFrame) -> Comparison:
    cases = sorted(table["case"].unique())
    sizes = table[(table["metric"] == "Dice") & (table["row"] == ROWS[0])][["fold", "case", "label"]]
    return Comparison(
        "Dataset001_X",
        table,
        ROWS[0],
        DATASET_JSON,
        margins=[Margin(0.01, None, "First."), Margin(0.02, None, "Second.", NSD), Margin(1.0, None, "Third.", MISSES)],
        covariates=pd.DataFrame({"age": np.arange(len(cases), dtype=float)}, cases),
        sizes=Sizes(sizes.assign(size=np.arange(1.0, len(sizes) + 1)), "ml"),
        failure={"Dice": 0.5, MISSES: 5.0},
        detailed=("NSD", "volume error"),
    )


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_nothing_breaks_and_nothing_says_nan(kind: str) -> None:
    made = compared(ODD[kind])
    tables = [build(made) for build in (result_table, contrast_table, metric_table, size_table)]
    tables += list(further_tables([made]).values())
    text = "\n".join([terminal_text([made]), *map(markdown, (table for table in tables if len(table)))])
    assert not re.search(r"[+-]?\bnan\b|\binf\b|\b1 cases\b|None|p = 0\.000", text)
    assert json.dumps(finite(comparison_json(made)), allow_nan=False)


@pytest.mark.parametrize("kind", ["one case", "all NaN", "all the same", "one fold", "one row all NaN"])
def test_where_nothing_can_be_told_nothing_is_claimed(kind: str) -> None:
    made = compared(ODD[kind])
    about = [c for c in made.contrasts if kind != "one row all NaN" or ROWS[1] in (c.row, c.against)]
    assert {contrast.verdict for contrast in about} == {"undecided"} and all(contrast.reason for contrast in about)
    rows = {contrast.row for contrast in about if contrast.kind == "baseline"}
    assert not [claim for _, claim in made.margin_claims if claim.shown and claim.row in rows]
