"""`skipx convert`, `skipx data check`, `skipx fetch`: from a download to data that nnU-Net can plan."""

import argparse
from pathlib import Path
from typing import Any

from nnunet_skipx.cli.values import path, processes, whole
from nnunet_skipx.datasets.titles import DATASETS, msd_task
from nnunet_skipx.nnunet.names import MOST_IDS
from nnunet_skipx.system.cores import available_cores
from nnunet_skipx.system.escaping import terminal
from nnunet_skipx.system.next_steps import go_on


def add_convert_parser(commands: Any) -> None:
    """`skipx convert NAME SOURCE -d ID`, a parser per data set, since each has options of its own."""
    text = "a downloaded data set becomes nnU-Net raw data with the folds that the field uses"
    convert = commands.add_parser("convert", help=text, description=text)
    names = convert.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, title in DATASETS.items():
        one = names.add_parser(name, help=title, description=title)
        one.add_argument("source", type=path, metavar="SOURCE", help="folder of the unpacked download; only read")
        one.add_argument(
            "-d", dest="number", type=whole(0, MOST_IDS - 1), required=True, metavar="ID", help="id of the new data set"
        )
        one.add_argument("-np", dest="processes", type=processes, metavar="N", help="processes (default: one per core)")
        one.add_argument("--overwrite", action="store_true", help="replace raw and preprocessed data of this id")
        if name != "msd":  # whose own dataset.json says what belongs to it
            one.add_argument("--allow-missing", action="store_true", help="convert what is there of a part download")
        if name == "synapse":
            one.add_argument(
                "--label-map", required=True, choices=["transunet", "samed"], help="whose numbering of the organs"
            )
        if name == "monuseg":
            one.add_argument(
                "--masks",
                choices=["binary", "boundary"],
                default="binary",
                help="nuclei alone, or their boundary as a second class (default: binary)",
            )
    convert.set_defaults(function=convert_command)


def add_data_parser(commands: Any) -> None:
    """`skipx data check`."""
    text = "look at data before training"
    data = commands.add_parser("data", help=text, description=text)
    steps = data.add_subparsers(dest="step", required=True, metavar="STEP")
    text = "geometry, labels, empty cases, duplicates, intensities and patients in several folds, with thumbnails"
    check = steps.add_parser("check", help=text, description=text)
    check.add_argument("-d", dest="dataset", required=True, metavar="DATASET", help="data set in nnUNet_raw")
    check.add_argument(
        "--patient", metavar="REGEX", help="part of a case's name that tells the patient, for example 'patient\\d+'"
    )
    check.add_argument("-np", dest="processes", type=processes, metavar="N", help="processes (default: one per core)")
    check.add_argument("-o", dest="out", type=path, metavar="FILE", help="the page (./skipx_data_DATASET.html)")
    check.set_defaults(function=data_check_command)


def add_fetch_parser(commands: Any) -> None:
    """`skipx fetch NAME [TASK]`."""
    text = "download an MSD task with checksum and resume; for other data sets: where to register"
    fetch = commands.add_parser("fetch", help=text, description=text)
    fetch.add_argument("name", choices=DATASETS, metavar="NAME", help=f"one of {', '.join(DATASETS)}")
    fetch.add_argument("task", nargs="?", help="MSD task, for example Task04_Hippocampus or 4")
    fetch.add_argument("-o", dest="folder", type=path, default=Path("."), metavar="FOLDER", help="where to (.)")
    fetch.set_defaults(function=fetch_command)


def convert_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.datasets.catalogue import CONVERTERS
    from nnunet_skipx.datasets.convert import convert
    from nnunet_skipx.datasets.recipe import Options

    given = {name: getattr(args, name) for name in ("allow_missing", "label_map", "masks") if hasattr(args, name)}
    options = Options(**given)
    recipe = CONVERTERS[args.name].read(args.source, options)
    made = convert(recipe, args.number, options, args.overwrite, processes_of(args))
    for note in made.notes:
        print(terminal(f"note: {note}"))
    print(f"wrote {made.folder}\nprotocol: {made.protocol.name}, {folds_text(len(made.protocol.folds))}")
    checking, planning = ["skipx", "data", "check", "-d"], ["nnUNetv2_plan_and_preprocess", "-d"]
    print(go_on([*checking, args.number], [*planning, args.number]))
    return 0


def folds_text(count: int) -> str:
    """Which folds to train."""
    return {0: "too few cases for folds", 1: "one fold: 0"}.get(count, f"folds 0 to {count - 1}")


def processes_of(args: argparse.Namespace) -> int:
    """The number given with -np, or the cores that this process may use."""
    return available_cores() if args.processes is None else int(args.processes)


def data_check_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.datasets.check.place import find_dataset

    find_dataset(args.dataset)

    from nnunet_skipx.datasets.check.command import check_dataset

    return check_dataset(args.dataset, args.patient, args.out, processes_of(args))


def fetch_command(args: argparse.Namespace) -> int:
    if args.name != "msd":
        from nnunet_skipx.datasets.catalogue import CONVERTERS

        print(f"{CONVERTERS[args.name].where}\nThen: skipx convert {args.name} FOLDER -d ID")
        return 0
    task = msd_task(args.task)

    from nnunet_skipx.datasets.download import fetch_msd_task

    folder = fetch_msd_task(task, args.folder)
    print(f"wrote {folder}\n{go_on(['skipx', 'convert', 'msd', folder, '-d', int(folder.name[4:6])])}")
    return 0
