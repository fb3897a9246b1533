"""What is asked of Slurm, without a Slurm (with one: tests/end_to_end/test_slurm.py)."""
import shutil

import pytest

from nnunet_skipx.bench.cell import Cell
from nnunet_skipx.bench.slurm import SlurmOptions, asked_for, slurm_options, submit


def test_words_become_options_and_the_rest_goes_to_sbatch() -> None:
    options = slurm_options(["time=1440", "partition=gpu", "mem=40", "gpus=0", "cpus=4", "account=lab=a"])
    assert options == SlurmOptions(1440, "gpu", 40, 4, 0, {"account": "lab=a"})
    assert asked_for(options) == {"partition": "gpu", "mem": "40GB"}
    assert asked_for(slurm_options(["time=60"])) == {"gpus_per_node": 1}


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


@pytest.mark.skipif(shutil.which("srun") is not None, reason="Slurm is installed here")
def test_without_slurm_the_cure_is_named(two_cells: list[Cell]) -> None:
    with pytest.raises(FileNotFoundError, match="no srun here: run this on a login node"):
        submit(two_cells, SlurmOptions(60), npz=False)
