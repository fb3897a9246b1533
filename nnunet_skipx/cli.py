"""The command `skipx`: the only place that parses arguments."""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnunet_skipx import __version__
from nnunet_skipx import commands as run
from nnunet_skipx.discovery import append_to_environment

DATASETS = {
    "msd": "Medical Segmentation Decathlon, ten tasks: nnU-Net's five folds",
    "btcv": "BTCV, 13 organs in CT: five folds of the 30 labelled scans",
    "synapse": "Synapse, 8 of BTCV's organs: TransUNet's split, 18 for training and 12 for test",
    "acdc": "ACDC, cardiac MRI in two phases: nnU-Net's five folds of the 100 patients",
    "glas": "GlaS, glands in histology: 85 for training, 80 for test",
    "monuseg": "MoNuSeg 2018, nuclei in histology: 30 for training, 14 for test",
    "isic": "ISIC 2016 or 2018, skin lesions: the official training and test parts",
}
DEFAULT_DEMO_FOLDER = Path("skipx_demo")


def build_parser() -> argparse.ArgumentParser:
    """All subcommands and their options."""
    parser = argparse.ArgumentParser(prog="skipx", description="Published skip connections as nnU-Net trainers.")
    parser.add_argument("--version", action="version", version=f"skipx {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    simple_commands = {
        "ext-path": (run.ext_path_command, 'print the folder for: export nnUNet_extTrainer="$(skipx ext-path)"'),
        "enable": (run.enable_command, "let plain nnUNetv2_* commands of this Python environment find our trainers"),
        "disable": (run.disable_command, "undo `skipx enable`"),
        "doctor": (run.doctor_command, "check that training can work here; exit 1 if it cannot"),
    }
    for name, (function, text) in simple_commands.items():
        commands.add_parser(name, help=text, description=text).set_defaults(function=function)

    text = "write a plans file that names one of our networks (plans route), or one that fits a GPU"
    plan = commands.add_parser("plan", help=text, description=text)
    plan.add_argument("-d", dest="dataset", required=True, help="dataset id or name, already planned by nnU-Net")
    plan.add_argument("-a", dest="architecture", required=True, help="network, for example UTANet")
    plan.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans to start from (default: nnUNetPlans)")
    plan.add_argument("--vram", type=float, metavar="GB", help="plan patch and batch for a GPU of this memory")
    plan.add_argument("--explain", action="store_true", help="print the predicted memory of training, part by part")
    plan.set_defaults(function=run.plan_command)

    listing = commands.add_parser("list", help="the trainers, their parameters and options")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.set_defaults(function=run.list_command)

    add_convert_parser(commands)
    add_data_parser(commands)
    add_fetch_parser(commands)
    add_profile_parser(commands)
    add_bench_parser(commands)
    add_report_parser(commands)
    add_inspect_parser(commands)
    add_universal_parser(commands)

    demo = commands.add_parser("demo", help="the whole comparison in miniature, on the CPU")
    demo.add_argument("folder", nargs="?", type=Path, default=DEFAULT_DEMO_FOLDER, help="where to work (./skipx_demo)")
    source = demo.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, help="an MSD task folder, for example Task04_Hippocampus")
    source.add_argument("--download", action="store_true", help="fetch Task04_Hippocampus from MSD's public bucket")
    demo.add_argument("--trainers", nargs="+", default=["nnUNetTrainer", "nnUNetTrainerUTANet"], metavar="TRAINER")
    demo.add_argument("--folds", nargs="+", type=int, default=[0, 1, 2, 3, 4], metavar="FOLD")
    demo.set_defaults(function=run.demo_command)
    return parser


def add_convert_parser(commands: Any) -> None:
    """`skipx convert NAME SOURCE -d ID`, a parser per data set, since each has options of its own."""
    text = "a downloaded data set becomes nnU-Net raw data with the folds that the field uses"
    convert = commands.add_parser("convert", help=text, description=text)
    names = convert.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, title in DATASETS.items():
        one = names.add_parser(name, help=title, description=title)
        one.add_argument("source", type=Path, metavar="SOURCE", help="folder of the unpacked download; only read")
        one.add_argument("-d", dest="number", type=int, required=True, metavar="ID", help="id of the new data set")
        one.add_argument("-np", dest="processes", type=int, metavar="N", help="processes (default: one per core)")
        one.add_argument("--overwrite", action="store_true", help="replace raw and preprocessed data of this id")
        if name != "msd":  # whose own dataset.json says what belongs to it
            one.add_argument("--allow-missing", action="store_true", help="convert what is there of a part download")
        if name == "synapse":
            one.add_argument(
                "--label-map", required=True, choices=["transunet", "samed"], help="whose numbering of the organs"
            )
        if name == "monuseg":
            one.add_argument(
                "--masks", choices=["binary", "boundary"], default="binary",
                help="nuclei alone, or their boundary as a second class (default: binary)",
            )  # fmt: skip
    convert.set_defaults(function=run.convert_command)


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
    check.add_argument("-np", dest="processes", type=int, metavar="N", help="processes (default: one per core)")
    check.add_argument("-o", dest="out", type=Path, metavar="FILE", help="the page (./skipx_data_DATASET.html)")
    check.set_defaults(function=run.data_check_command)


def add_fetch_parser(commands: Any) -> None:
    """`skipx fetch NAME [TASK]`."""
    text = "download an MSD task with checksum and resume; for other data sets: where to register"
    fetch = commands.add_parser("fetch", help=text, description=text)
    fetch.add_argument("name", choices=DATASETS, metavar="NAME", help=f"one of {', '.join(DATASETS)}")
    fetch.add_argument("task", nargs="?", help="MSD task, for example Task04_Hippocampus or 4")
    fetch.add_argument("-o", dest="folder", type=Path, default=Path("."), metavar="FOLDER", help="where to (.)")
    fetch.set_defaults(function=run.fetch_command)


def add_profile_parser(commands: Any) -> None:
    """`skipx profile`, with nnU-Net's spellings where nnU-Net has the option."""
    text = "measure what trainers cost on a planned data set: parameters, FLOPs, memory, seconds per step"
    profile = commands.add_parser("profile", help=text, description=text)
    profile.add_argument("-d", dest="dataset", required=True, help="dataset id or name, already planned by nnU-Net")
    profile.add_argument("-c", dest="configuration", required=True, help="configuration, for example 3d_fullres")
    profile.add_argument(
        "-tr", dest="trainers", nargs="+", metavar="TRAINER",
        help="trainers or variants; ratios refer to the first (default: nnUNetTrainer and all of ours; with "
             "--dataloading nnUNetTrainer)",
    )  # fmt: skip
    profile.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans (default: nnUNetPlans)")
    profile.add_argument("-device", choices=["cpu", "cuda"], help="default: cuda where torch sees a GPU, else cpu")
    profile.add_argument("--runs", type=int, help="timed runs per trainer and kind of step (default: 3)")
    profile.add_argument(
        "--dataloading", action="store_true",
        help="instead: whether loading and augmentation keep up with the network, in workers and with _gpuaug",
    )  # fmt: skip
    profile.add_argument(
        "-f", dest="fold", metavar="FOLD", help="with --dataloading: whose training cases are loaded (default: 0)"
    )
    profile.add_argument(
        "--iterations", type=int, metavar="N",
        help="with --dataloading: iterations that are timed (default: 100, on the CPU 10)",
    )  # fmt: skip
    profile.add_argument("--json", action="store_true", help="print JSON instead of a table")
    profile.set_defaults(function=run.profile_command)


def add_bench_parser(commands: Any) -> None:
    """`skipx bench`, with nnU-Net's letters."""
    text = "train and validate every combination of data sets, configurations, trainers and folds that is not done yet"
    bench = commands.add_parser("bench", help=text, description=text)
    bench.add_argument("--matrix", type=Path, metavar="FILE", help="a TOML file with the letters below as keys")
    bench.add_argument("-d", nargs="+", metavar="DATASET", help="data sets, ids or names, already planned by nnU-Net")
    bench.add_argument("-c", nargs="+", metavar="CONFIGURATION", help="configurations, for example 3d_fullres 2d")
    bench.add_argument("-tr", nargs="+", metavar="TRAINER", help="trainers: nnU-Net's, ours with variants, or others")
    bench.add_argument("-p", nargs="+", metavar="PLANS", default=["nnUNetPlans"], help="plans (default: nnUNetPlans)")
    bench.add_argument("-f", nargs="+", type=int, metavar="FOLD", default=[], help="folds (default: all)")
    bench.add_argument("--npz", action="store_true", help="keep the validation's probabilities, for ensembles")
    bench.add_argument("--replicates", type=int, default=1, metavar="N", help="train every cell N times (default: 1)")
    bench.add_argument("--gpus", metavar="0,1,2", help="GPUs, one cell at a time on each (default: all)")
    bench.add_argument("-device", choices=["cpu", "cuda"], help="default: cuda where torch sees a GPU, else cpu")
    bench.add_argument("--jobs", type=int, metavar="N", help="on the CPU: cells side by side (default: one per core)")
    bench.add_argument(
        "--slurm", nargs="*", metavar="KEY=VALUE",
        help="submit to Slurm instead: time (minutes), partition, mem (GB), cpus, gpus, and options of sbatch",
    )  # fmt: skip
    bench.add_argument("--dry-run", action="store_true", help="show the cells, what is missing and how long it takes")
    bench.set_defaults(function=run.bench_command)


def add_report_parser(commands: Any) -> None:
    """`skipx report`, with nnU-Net's letters."""
    text = "compare trained models: a page, tables and raw numbers from nnU-Net's results folders, ours or not"
    report = commands.add_parser("report", help=text, description=text)
    add = report.add_argument
    add("-d", dest="datasets", nargs="+", metavar="DATASET", required=True, help="data sets, ids or names")
    add(
        "-c", dest="configurations", nargs="+", metavar="CONFIGURATION", default=["3d_fullres"],
        help="configurations (default: 3d_fullres)",
    )  # fmt: skip
    add(
        "-tr", dest="trainers", nargs="+", metavar="TRAINER",
        help="trainers in the order of the rows (default: all that have results)",
    )  # fmt: skip
    add("-p", dest="plans", nargs="+", metavar="PLANS", help="plans (default: all that have results)")
    add("-f", dest="folds", nargs="+", type=int, metavar="FOLD", help="folds (default: those of the protocol, or five)")
    add("--baseline", metavar="ROW", help="the row to compare with (default: nnUNetTrainer)")
    add("--allow-missing", action="store_true", help="compare on the folds that all have")
    add("--rope", type=float, metavar="DICE", default=0.003, help="a difference that hardly matters (default: 0.003)")
    add(
        "--nsd-mm", type=float, nargs="+", metavar="MM", default=[],
        help="also NSD at this tolerance, HD95, IoU, volume error; one for all data sets or one for each",
    )  # fmt: skip
    add("--lesions", action="store_true", help="also lesion-wise F1, IoU, volume error")
    add(
        "--convention", choices=["nnunet", "transunet", "udtransnet"], default="nnunet",
        help="whose script's rule for absent classes to follow (default: nnunet)",
    )  # fmt: skip
    add("--references", type=Path, metavar="FOLDER", help="true label maps (default: nnU-Net's own)")
    add("--images", type=Path, metavar="FOLDER", help="images for the slices (default: imagesTr in nnUNet_raw)")
    add(
        "--profile", type=Path, nargs="+", metavar="FILE", default=[],
        help="what skipx profile --json printed, for the memory",
    )  # fmt: skip
    add("--results", type=Path, metavar="FOLDER", help="results folder (default: nnUNet_results)")
    add("-o", dest="out", type=Path, default=Path("skipx_report"), help="where to (./skipx_report)")
    report.set_defaults(function=run.report_command)


def add_inspect_parser(commands: Any) -> None:
    """`skipx inspect`, with nnU-Net's letters."""
    text = "measure what each skip of a trained model contributes, on its preprocessed validation cases"
    inspect = commands.add_parser("inspect", help=text, description=text)
    inspect.add_argument(
        "model", type=Path, metavar="MODEL_FOLDER",
        help="a trained model: <nnUNet_results>/DATASET/TRAINER__PLANS__CONFIGURATION",
    )  # fmt: skip
    inspect.add_argument("-f", dest="folds", nargs="+", type=int, metavar="FOLD", help="folds (default: all trained)")
    inspect.add_argument("-device", choices=["cpu", "cuda"], help="default: cuda where torch sees a GPU, else cpu")
    inspect.add_argument(
        "-chk", dest="checkpoint", default="checkpoint_final.pth", metavar="FILE",
        help="checkpoint of each fold (default: checkpoint_final.pth)",
    )  # fmt: skip
    inspect.set_defaults(function=run.inspect_command)


def add_universal_parser(commands: Any) -> None:
    """`skipx universal create | extract | adapt`, with nnU-Net's letters."""
    text = "one 3D U2-Net for several data sets"
    universal = commands.add_parser("universal", help=text, description=text)
    steps = universal.add_subparsers(dest="step", required=True, metavar="STEP")

    text = "put planned data sets together to one that nnUNetv2_train trains"
    create = steps.add_parser("create", help=text, description=text)
    create.add_argument("-d", dest="datasets", nargs="+", required=True, metavar="DATASET", help="ids or names")
    create.add_argument("--id", dest="number", type=int, required=True, help="id of the new data set, for example 500")
    create.add_argument("--name", default="Universal", help="its name (default: Universal)")
    create.add_argument(
        "-c", dest="configurations", nargs="+", default=["3d_fullres"], metavar="CONFIGURATION",
        help="configurations (default: 3d_fullres)",
    )  # fmt: skip
    create.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans (default: nnUNetPlans)")
    create.add_argument(
        "--sampling", choices=["round_robin", "sqrt", "proportional"], default="round_robin",
        help="how often a domain comes: all alike, or by (the root of) its number of cases (default: round_robin)",
    )  # fmt: skip
    create.add_argument(
        "--feature-scale", type=float, default=1.0, metavar="FACTOR", help="of the planned widths (default: 1)"
    )
    create.set_defaults(function=run.universal_create_command)

    text = "write every domain of a trained universal run as an ordinary model of its own data set"
    extract = steps.add_parser("extract", help=text, description=text)
    extract.add_argument("number", type=int, metavar="ID", help="the run's data set id")
    extract.add_argument(
        "-f", dest="folds", nargs="+", default=["all"], metavar="FOLD", help="folds (default: all that are trained)"
    )
    extract.add_argument("-tr", dest="trainer", metavar="TRAINER", help="the run's trainer (default: all)")
    extract.set_defaults(function=run.universal_extract_command)

    text = "train a new domain on the frozen shared weights of a finished universal run"
    adapt = steps.add_parser("adapt", help=text, description=text)
    adapt.add_argument("number", type=int, metavar="ID", help="the run's data set id")
    adapt.add_argument("-d", dest="dataset", required=True, metavar="DATASET", help="the new domain, id or name")
    adapt.add_argument(
        "-f", dest="fold", type=int, required=True, metavar="FOLD", help="fold of the run and of the data set"
    )
    adapt.add_argument("-c", dest="configuration", default="3d_fullres", help="configuration (default: 3d_fullres)")
    adapt.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans (default: nnUNetPlans)")
    adapt.add_argument("-tr", dest="trainer", metavar="TRAINER", help="the run's trainer, if there are several")
    adapt.add_argument("-device", choices=["cpu", "cuda"], help="default: cuda where torch sees a GPU, else cpu")
    adapt.set_defaults(function=run.universal_adapt_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; a user's mistake becomes one sentence on stderr and exit code 2."""
    args = build_parser().parse_args(argv)
    args.argv = sys.argv[1:] if argv is None else argv
    if args.function is not run.doctor_command:  # the doctor looks at what plain nnUNetv2_* commands see
        append_to_environment()
    try:
        return int(args.function(args))
    except (ValueError, OSError, RuntimeError) as error:
        print(f"skipx {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nskipx {args.command}: interrupted; run the same command again to go on.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
