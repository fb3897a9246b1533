"""A trained model by nnU-Net's letters."""

from pathlib import Path

import pytest

from nnunet_skipx.cli.inspect import model_of, results_option
from nnunet_skipx.cli.main import build_parser
from nnunet_skipx.results.find_models import find_models, report_words
from nnunet_skipx.system.next_steps import BEGIN
from tests.made_up_study import TRAINERS, Study, study

__all__ = ["study"]  # fixture


def test_letters_are_the_folder_that_they_name(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("nnUNet_results", str(study.results))
    folder = study.model_folder(TRAINERS[1])
    for words in (["-d", "4", "-c", "3d_fullres", "-tr", TRAINERS[1]], [str(folder)]):
        assert model_of(build_parser().parse_args(["inspect", *words])) == folder
    with pytest.raises(FileNotFoundError, match="did you mean nnUNetTrainerUTANet"):
        model_of(build_parser().parse_args(["inspect", "-d", "4", "-c", "3d_fullres", "-tr", "nnUNetTrainerUTANt"]))


def test_a_misspelt_data_set_is_not_to_be_trained(study: Study) -> None:
    folder = study.model_folder(TRAINERS[1])
    with pytest.raises(FileNotFoundError, match=f"did you mean {folder.parent.name}") as refused:
        find_models(study.results, folder.parent.name.replace("pp", "p"), ["3d_fullres"], None, None)
    assert BEGIN not in str(refused.value)


def test_the_report_finds_what_was_inspected(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study.model_folder(TRAINERS[1])
    words = report_words([study.model_folder(trainer) for trainer in TRAINERS])
    args = build_parser().parse_args(words[1:])
    assert (args.datasets, args.trainers) == ([folder.parent.name], list(TRAINERS))
    monkeypatch.setenv("nnUNet_results", str(study.results))
    assert results_option(folder) == []
    for name in (str(tmp_path), None):
        monkeypatch.delenv("nnUNet_results") if name is None else monkeypatch.setenv("nnUNet_results", name)
        assert results_option(folder) == ["--results", str(study.results.resolve())]
