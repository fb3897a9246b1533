"""The model folders that a report is about, among all results."""

from collections.abc import Sequence
from pathlib import Path

from nnunet_skipx.nnunet.names import ModelName, are_of, dataset_number
from nnunet_skipx.nnunet.planned import domains_in
from nnunet_skipx.nnunet.trainer_name import BASELINE, TrainerName
from nnunet_skipx.system.files import not_a_folder, require_readable
from nnunet_skipx.system.names import did_you_mean
from nnunet_skipx.system.next_steps import go_on


def find_models(
    results: Path,
    dataset: str,
    configurations: Sequence[str],
    trainers: Sequence[str] | None,
    plans: Sequence[str] | None,
) -> list[Path]:
    """Model folders of a data set, by id or name, in the order of `trainers`, or else the stock ones first.

    Raises:
        FileNotFoundError: no such data set or no such model among the results; says what there is.
        ValueError: the data set is a universal run.
    """
    if not results.is_dir():
        raise FileNotFoundError(f"{not_a_folder(results)}: give --results FOLDER, or export nnUNet_results=FOLDER")
    require_readable(results)
    there = results_of(dataset, results, go_on(bench_words(dataset, configurations, trainers, plans)))
    require_readable(there)
    models = sorted(there.glob("*__*__*"), key=_stock_first)
    chosen = []
    for path in models:
        _, its_plans, configuration = ModelName.of(path)
        if configuration in configurations and (plans is None or its_plans in plans):
            chosen.append(path)
    if trainers is not None:
        chosen = [path for name in trainers for path in chosen if ModelName.of(path).trainer == name]
    found = {ModelName.of(path).trainer for path in chosen}
    if not chosen or (trainers is not None and found != set(trainers)):
        listed = "\n".join(f"  {path.name}" for path in models) or "  none"
        names = {ModelName.of(path).trainer for path in models} - found
        lacking = [f"{name}{did_you_mean(name, names)}" for name in sorted(set(trainers or ()) - found)]
        raise FileNotFoundError(
            f"{there} has no results of {', '.join(lacking) or 'any model'} with these options; there are:\n"
            f"{listed}\n{go_on(bench_words(dataset, configurations, trainers, plans))}"
        )
    if domains := [name for path in chosen for name in domains_in(path)]:
        ids = " ".join(str(dataset_number(name)) for name in dict.fromkeys(domains))
        run = there.name
        raise ValueError(
            f"{run} is a universal run, whose validations are its domains': report on those, -d {ids}, "
            f"with the trainers nnUNetTrainerU2Net..._from{dataset_number(run)}"
        )
    return chosen


def results_of(dataset: str, results: Path, cure: str = "") -> Path:
    """The folder of a data set, by id or name; FileNotFoundError where there is none, or several."""
    there = are_of(dataset, results.glob("Dataset*"))
    if len(there) != 1:
        known = sorted(path.name for path in results.glob("Dataset*"))
        meant = did_you_mean(dataset, known)
        raise FileNotFoundError(
            f"data set {dataset!r} has no results in {results}{meant}; there are: {', '.join(known) or 'none'}"
            + (f". {cure}" if cure and not meant else "")
        )
    return there[0]


def report_words(models: Sequence[Path]) -> list[str]:
    """The command line that reports on model folders among nnU-Net's results."""
    names = [ModelName.of(folder) for folder in models]
    words = ["skipx", "report", "-d", *dict.fromkeys(folder.parent.name for folder in models)]
    words += ["-c", *dict.fromkeys(name.configuration for name in names)]
    return [*words, "-tr", *dict.fromkeys(name.trainer for name in names)]


def bench_words(
    dataset: str, configurations: Sequence[str], trainers: Sequence[str] | None, plans: Sequence[str] | None
) -> list[str]:
    """The command line that trains what has no results."""
    compared = trainers or [BASELINE, "nnUNetTrainerUTANet"]
    return [
        "skipx",
        "bench",
        "-d",
        dataset,
        "-c",
        *configurations,
        "-tr",
        *compared,
        *(["-p", *plans] if plans else []),
    ]


def _stock_first(folder: Path) -> tuple[bool, tuple[str, str, str]]:
    trainer, plans, configuration = ModelName.of(folder)
    return not TrainerName.of(trainer).is_stock, (trainer, plans, configuration)
