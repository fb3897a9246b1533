"""What is asked of Slurm, without a Slurm (with one: tests/end_to_end/test_slurm.py)."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.slurm import asked_for, names_of, submit
from nnunet_skipx.bench.slurm_options import SlurmOptions, slurm_options
from nnunet_skipx.nnunet.folds import ALL


def test_words_become_options_and_the_rest_goes_to_sbatch() -> None:
    options = slurm_options(["time=1440", "partition=gpu", "mem=40", "gpus=0", "cpus=4", "account=lab=a"])
    assert options == SlurmOptions(1440, "gpu", 40, 4, 0, {"account": "lab=a"})
    assert asked_for(options) == {"partition": "gpu", "mem": "40GB"}
    assert asked_for(slurm_options(["time=60"])) == {"gpus_per_node": 1}
    assert slurm_options(["time=60", "job-name=a-b"]).extra == {"job_name": "a-b"}, "as submitit spells it"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "needs the time of a job in minutes"),
        (["time=60", "gpu"], "not 'gpu'"),
        (["time=60", "=3"], "not '=3'"),
        (["time=60", "time=70"], "names an option twice"),
        (["time=1-00:00:00"], r"time=1-00:00:00: give a whole number \(minutes\)"),
        (["time=60", "mem=40GB"], r"mem=40GB: give a whole number \(GB\)"),
        (["time=2"], "time=2 is too short: 90 seconds before its end"),
    ],
)
def test_words_without_sense_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        slurm_options(words)


def test_jobs_are_called_by_their_cells_fold_all_too(two_cells: list[Cell]) -> None:
    everything = replace(two_cells[0], fold=ALL)
    names = [names_of(cell)["JobName"] for cell in (*two_cells, everything)]
    assert names == [f"Dataset099_Phantom_3d_fullres_fold_{fold}_nnUNetTrainer" for fold in (0, 1, "all")]
    assert names_of(everything)["Comment"].startswith("Dataset099_Phantom 3d_fullres fold all nnUNetTrainer")


def test_without_slurm_the_cure_is_named(
    two_cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no srun here: run this on a login node"):
        submit(two_cells, SlurmOptions(60), npz=False)
    assert not any(two_cells[0].results.iterdir()), "nothing is left behind"


def test_slurms_client_without_a_cluster_names_the_cure_too(
    two_cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("srun", "sbatch"):
        program = programs / name
        program.write_text("#!/bin/sh\necho 'sbatch: fatal: Could not establish a configuration source' >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(RuntimeError, match=r"Could not establish a configuration source.*without --slurm"):
        submit(two_cells, SlurmOptions(60), npz=False)
    assert not any(two_cells[0].results.iterdir()), "nothing is left behind"
