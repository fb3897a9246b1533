"""What each subcommand of `skipx` does with its arguments; imports happen inside, so that `skipx -h` is quick."""
import argparse
import json
import os
import shlex

from nnunet_skipx.discovery import ext_path


def ext_path_command(args: argparse.Namespace) -> int:
    print(ext_path())
    return 0


def enable_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.environment.startup_hook import enable

    for path in enable():
        print(f"wrote {path}")
    print("Enabled: nnUNetv2_train and nnUNetv2_predict of this Python environment now find our trainers.")
    return 0


def disable_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.environment.startup_hook import disable

    removed = disable()
    for path in removed:
        print(f"removed {path}")
    print("Disabled." if removed else "Nothing to remove: the start-up hook was not enabled in this environment.")
    return 0


def doctor_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.environment.doctor import run_doctor

    return run_doctor()


def plan_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.planning.explanation import memory_text
    from nnunet_skipx.planning.vram import explain_plans, missing_data, plan_for_vram
    from nnunet_skipx.training.plans_route import write_plans

    if args.vram is None and args.explain:
        print(memory_text(explain_plans(args.dataset, args.architecture, args.plans)))
    elif args.vram is None:
        print(f"wrote {write_plans(args.dataset, args.architecture, args.plans)}")
    else:
        path, memory = plan_for_vram(args.dataset, args.architecture, args.vram, args.plans)
        print("\n".join([f"wrote {path}", *missing_data(args.dataset, path)]))
        print(memory_text(memory, args.vram, parts=args.explain))
    return 0


def list_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.training.catalogue import catalogue, catalogue_text

    print(json.dumps(catalogue(), indent=2) if args.json else catalogue_text())
    return 0


def convert_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.datasets.catalogue import CONVERTERS
    from nnunet_skipx.datasets.convert import convert
    from nnunet_skipx.datasets.recipe import Options

    given = {name: getattr(args, name) for name in ("allow_missing", "label_map", "masks") if hasattr(args, name)}
    options = Options(**given)
    recipe = CONVERTERS[args.name].read(args.source, options)
    made = convert(recipe, args.number, options, args.overwrite, processes_of(args))
    for note in made.notes:
        print(f"note: {note}")
    print(f"wrote {made.folder}\nprotocol: {made.protocol.name}, {folds_text(len(made.protocol.folds))}")
    print(f"Go on with\n    skipx data check -d {args.number}\n    nnUNetv2_plan_and_preprocess -d {args.number}")
    return 0


def folds_text(count: int) -> str:
    """Which folds to train."""
    return {0: "too few cases for folds", 1: "one fold: 0"}.get(count, f"folds 0 to {count - 1}")


def processes_of(args: argparse.Namespace) -> int:
    """The number given with -np, or the cores that this process may use."""
    if args.processes is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if args.processes < 1:
        raise ValueError(f"-np {args.processes} does nothing: give 1 or more")
    return int(args.processes)


def data_check_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.datasets.check.command import check_dataset

    return check_dataset(args.dataset, args.patient, args.out, processes_of(args))


def fetch_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.datasets.catalogue import CONVERTERS
    from nnunet_skipx.datasets.download import fetch_msd_task, msd_task

    if args.name != "msd":
        print(f"{CONVERTERS[args.name].where}\nThen: skipx convert {args.name} FOLDER -d ID")
        return 0
    folder = fetch_msd_task(msd_task(args.task), args.folder)
    print(f"wrote {folder}\nGo on with\n    skipx convert msd {shlex.quote(str(folder))} -d {int(folder.name[4:6])}")
    return 0


def profile_command(args: argparse.Namespace) -> int:
    import torch

    from nnunet_skipx.benchmark.profile import profile, profile_text
    from nnunet_skipx.benchmark.steps import Setting
    from nnunet_skipx.planned import domains_in, plans_file, read_planned
    from nnunet_skipx.training.catalogue import single_trainers

    plans, dataset_json = read_planned(args.dataset, args.plans)
    if domains := domains_in(plans_file(args.dataset, args.plans).parent):
        raise ValueError(f"{args.dataset} is a universal run: profile nnUNetTrainerU2Net on each of its domains, "
                         f"{', '.join(domains)}")  # fmt: skip
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if args.dataloading:
        return profile_dataloading(args, plans, dataset_json, device)
    for option, value in (("-f", args.fold), ("--iterations", args.iterations)):
        if value is not None:
            raise ValueError(f"{option} {value} belongs to --dataloading: add that, or leave {option} out")
    setting = Setting(plans, args.configuration, dataset_json, device)
    content = profile(args.trainers or single_trainers(), setting, 3 if args.runs is None else args.runs)
    print(json.dumps(content, indent=2) if args.json else profile_text(content))
    return 0


def profile_dataloading(args: argparse.Namespace, plans: dict, dataset_json: dict, device: str) -> int:
    from nnunet_skipx.benchmark.dataloading import ITERATIONS, dataloading, dataloading_text
    from nnunet_skipx.benchmark.loading_run import LoadingSetting
    from nnunet_skipx.planned import preprocessed_folder

    if args.runs is not None:
        raise ValueError("--runs is not for --dataloading: give --iterations")
    fold = args.fold or "0"
    if fold != "all" and not fold.isdigit():
        raise ValueError(f"-f {fold} is no fold: give 0 to 4, or all")
    preprocessed_folder(args.dataset, args.plans, args.configuration)  # says what is missing
    iterations = ITERATIONS[device] if args.iterations is None else args.iterations
    setting = LoadingSetting(
        plans, args.configuration, dataset_json, device, fold if fold == "all" else int(fold), iterations
    )
    content = dataloading(args.trainers or ["nnUNetTrainer"], setting)
    print(json.dumps(content, indent=2) if args.json else dataloading_text(content))
    return 0


def bench_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.benchmark.matrix import Matrix, read_matrix
    from nnunet_skipx.cluster.bench import bench, bench_on_slurm, dry_run
    from nnunet_skipx.cluster.slots import slots
    from nnunet_skipx.cluster.slurm import slurm_options

    if args.matrix:
        matrix = read_matrix(args.matrix)
    elif missing := [letter for letter in ("d", "c", "tr") if getattr(args, letter) is None]:
        raise ValueError(f"-{missing[0]} is missing: give -d, -c and -tr as for nnUNetv2_train, or --matrix FILE")
    else:
        matrix = Matrix(
            tuple(args.d), tuple(args.c), tuple(args.tr), tuple(args.p), tuple(args.f), args.npz, args.replicates
        )
    if args.dry_run:
        print(dry_run(matrix, slots(args.device, args.gpus, args.jobs)))
        return 0
    if args.slurm is not None:
        return bench_on_slurm(matrix, slurm_options(args.slurm))
    return bench(matrix, slots(args.device, args.gpus, args.jobs))


def report_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.benchmark.find_models import find_models
    from nnunet_skipx.benchmark.report_command import ReportOptions, report
    from nnunet_skipx.benchmark.row_cost import read_profile
    from nnunet_skipx.cluster.bench import results_folder

    results = args.results or results_folder()
    datasets = [
        find_models(results, dataset, args.configurations, args.trainers, args.plans) for dataset in args.datasets
    ]
    options = ReportOptions(
        baseline=args.baseline, allow_missing=args.allow_missing, rope=args.rope, nsd_mm=args.nsd_mm,
        lesions=args.lesions, convention=args.convention, references=args.references, images=args.images,
        profiles=[read_profile(path) for path in args.profile], command=shlex.join(["skipx", *args.argv]),
    )  # fmt: skip
    print(report(datasets, args.folds, args.out, options))
    return 0


def inspect_command(args: argparse.Namespace) -> int:
    import torch

    from nnunet_skipx.benchmark.inspect_command import inspect_model

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    print(inspect_model(args.model, args.folds, device, args.checkpoint))
    return 0


def demo_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.demo.run import run_demo

    return run_demo(args.folder, data=args.data, download=args.download, trainers=args.trainers, folds=args.folds)


def universal_create_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.universal.create import create_run

    folder = create_run(
        args.datasets, args.number, args.name, args.configurations, args.plans, args.sampling, args.feature_scale
    )
    print(f"wrote {folder}\nTrain it with\n    nnUNetv2_train {args.number} {args.configurations[0]} FOLD "
          f"-tr nnUNetTrainerU2NetUniversal -p {args.plans}")  # fmt: skip
    return 0


def universal_extract_command(args: argparse.Namespace) -> int:
    from nnunet_skipx.universal.extract import extract

    for folder in extract(args.number, None if args.folds == ["all"] else args.folds, args.trainer):
        print(f"wrote {folder}")
    return 0


def universal_adapt_command(args: argparse.Namespace) -> int:
    import torch

    from nnunet_skipx.benchmark.cell import Cell
    from nnunet_skipx.cluster.bench import results_folder
    from nnunet_skipx.cluster.train_cell import TrainingOrder, train_cell
    from nnunet_skipx.universal.add_domain import adaptation, add_domain

    plan = adaptation(args.number, args.dataset, args.fold, args.configuration, args.plans, args.trainer)
    cell = Cell(results_folder(), plan.dataset, args.configuration, args.fold, plan.trainer, args.plans)
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    threads = (os.cpu_count() or 1) if device == "cpu" else 1  # as nnUNetv2_train sets them
    if status := train_cell(TrainingOrder(cell, device, threads)):
        return status
    path = add_domain(plan.run, cell.folder / "checkpoint_final.pth")
    print(f"wrote {path}, with {plan.dataset} among the domains")
    return 0
