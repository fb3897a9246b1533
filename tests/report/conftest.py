"""The made-up study, and what a report of it is made from, for the tests of this folder."""

import pandas as pd
import pytest

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.results.atlas import atlas_table
from nnunet_skipx.results.citations import NNUNET
from nnunet_skipx.results.collect import collect
from nnunet_skipx.results.row_cost import RowCost
from nnunet_skipx.results.training_log import read_training_log
from tests.made_up_study import (
    DATASET,
    DATASET_JSON,
    FOLDS,
    TRAINERS,
    Study,
    study,  # noqa: F401
)
from tests.report.pages import write


@pytest.fixture(scope="session")
def comparison(study: Study) -> Comparison:  # noqa: F811
    table = collect(list(study.model_folders.values()), FOLDS)
    atlas = atlas_table(study.labels, study.splits, FOLDS, DATASET_JSON, DATASET)
    logs = {
        trainer: {fold: read_training_log(folder / f"fold_{fold}") for fold in FOLDS}
        for trainer, folder in study.model_folders.items()
    }
    return Comparison(
        dataset=DATASET,
        table=pd.concat([table, atlas], ignore_index=True),
        baseline=TRAINERS[0],
        dataset_json=DATASET_JSON,
        costs={TRAINERS[0]: RowCost(parameters=1_234_567, gflops=12.345), TRAINERS[1]: RowCost(gflops=24.69)},
        logs=logs,
        provenance={TRAINERS[0]: {"torch": "2.0", "command": "nnUNetv2_train"}},
        citations={TRAINERS[0]: NNUNET, TRAINERS[1]: ""},
        model_folders=study.model_folders,
        images_folder=study.images,
        labels_folder=study.labels,
        settings={"Epochs": "3"},
        notes=["Shortened: 3 epochs."],
    )


@pytest.fixture(scope="session")
def html(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(comparison, tmp_path_factory.mktemp("report"))
