"""What to type behind a matrix: the same trainings, and what reads their results."""

from nnunet_skipx.bench.matrix import Matrix
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.planned import domains_in, full_name, plans_file


def bench_words(matrix: Matrix) -> list[object]:
    """The command line that trains a matrix."""
    options: list[object] = ["--npz"] if matrix.npz else []
    options += ["--replicates", matrix.replicates] if matrix.replicates > 1 else []
    options += ["-pretrained_weights", matrix.weights] if matrix.weights else []
    return ["skipx", "bench", *_letters(matrix, matrix.trainers), *options]


def reading(matrix: Matrix) -> list[list[object]]:
    """The command lines that read what a matrix trained; a universal run's results are extracted for its domains."""
    runs = [d for d in matrix.datasets if domains_in(plans_file(d, matrix.plans[0]).parent)]
    others = tuple(dataset for dataset in matrix.datasets if dataset not in runs)
    extracting: list[list[object]] = [
        ["skipx", "universal", "extract", "-d", dataset_number(full_name(run))] for run in runs
    ]
    return [*extracting, *([["skipx", "report", *_letters(matrix, matrix.rows, others)]] if others else [])]


def _letters(matrix: Matrix, trainers: tuple[str, ...], datasets: tuple[str, ...] = ()) -> list[object]:
    """The matrix in nnU-Net's letters; folds only where not all."""
    words: list[object] = ["-d", *(datasets or matrix.datasets), "-c", *matrix.configurations, "-tr", *trainers]
    words += ["-p", *matrix.plans] if matrix.plans != Matrix.plans else []
    return [*words, *(["-f", *matrix.folds] if matrix.folds else [])]
