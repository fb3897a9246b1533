"""Everything of the doctor's that imports torch, nnU-Net or the user's modules: in a subprocess, which answers in JSON.

A broken torchvision then breaks an answer and not the doctor, and nnU-Net's chatter stays inside. Every step answers in
a line of its own, so that what a later one breaks takes nothing away from the earlier ones.
"""

import importlib
import importlib.util
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from nnunet_skipx.discovery import EXT_VARIABLE, append_to_environment, ext_path
from nnunet_skipx.system.interpreter import python

ANSWER = "skipx doctor: "  # begins the lines that are answers, among whatever else is printed
STEP = "step"  # that is under way: a folder of the user's, or the name of a trainer
WORKERS_VARIABLE = "nnUNet_n_proc_DA"
NOBODY = "nobody_has_this_name"
ANYTHING = (Exception, SystemExit)  # whatever stands in the user's files, or in a half-installed package, is run

# each needs those before it, so the first that fails is the one to cure
IMPORTS = {
    "import torch": "torch",
    "import torchvision": "torchvision",
    "import nnunetv2": "nnunetv2.training.nnUNetTrainer.nnUNetTrainer",
}


def ask_probe(trainers: Sequence[str] = ()) -> dict[str, Any]:
    """What `probe` answers; with `died`, why, where it did not come to its end.

    trainers: names to look for, ours where there are none.
    """
    # a bad worker count has its own check and would only make nnU-Net's imports fail as well
    environment = {key: value for key, value in os.environ.items() if key != WORKERS_VARIABLE}
    command = python("-u", "-c", "from nnunet_skipx.environment.probe import probe; probe()", *trainers)
    run = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    answer: dict[str, Any] = {"imports": {}, "folders": {}, "trainers": {}}
    for line in run.stdout.splitlines():
        if line.startswith(ANSWER):
            key, value = json.loads(line.removeprefix(ANSWER))
            answer[key] = {**answer[key], **value} if isinstance(answer.get(key), dict) else value
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        answer["died"] = lines[-1]
    return answer


def tell(key: str, value: Any) -> None:
    """Answer one thing; dictionaries under one key are put together."""
    print(f"\n{ANSWER}{json.dumps([key, value])}", flush=True)


def probe() -> None:
    """Runs in the subprocess: import, look, and tell."""
    append_to_environment()
    imports = probe_imports()
    tell("imports", imports)
    if imports["import torch"] == "":
        for key, value in probe_gpu().items():
            tell(key, value)
    if imports.get("import nnunetv2") == "":
        probe_trainers(sys.argv[1:])
    tell(STEP, "")


def probe_imports() -> dict[str, str]:
    """Import one after the other, up to the first that fails: name -> error, empty if it works."""
    errors: dict[str, str] = {}
    for name, module in IMPORTS.items():
        try:
            importlib.import_module(module)
        except ANYTHING as error:
            return errors | {name: f"{type(error).__name__}: {error}".splitlines()[0]}
        errors[name] = ""
    return errors


def probe_gpu() -> dict[str, Any]:
    import torch

    return {
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "versions": {
            "torch": torch.__version__,
            "cudnn": torch.backends.cudnn.version(),
            "cuda": torch.version.cuda,
        },
        "triton": importlib.util.find_spec("triton") is not None,
        "compiler": any(shutil.which(tool) for tool in (os.environ.get("CC", ""), "gcc", "clang", "cc") if tool),
    }


def probe_trainers(wanted: Sequence[str]) -> None:
    """The user's folders, then trainers: those asked for as nnU-Net finds them, ours where a folder is broken alone."""
    from nnunet_skipx.nnunet.search import users_folders

    broken = False
    for folder in users_folders():
        tell(STEP, folder)
        found = probe_folder(folder)
        tell("folders", {folder: found})
        broken = broken or bool(found["error"])
    if broken and not wanted:
        os.environ[EXT_VARIABLE] = ext_path()
    for name in wanted or our_trainers():
        tell(STEP, name)
        tell("trainers", {name: probe_trainer(name)})


def probe_folder(folder: str) -> dict[str, str]:
    """What nnU-Net's search stops at in a folder: error and place, both empty where it imports every module."""
    from nnunetv2.utilities.find_class_by_name import recursive_find_python_class

    if not os.path.isdir(folder):
        return {"error": "", "place": "", "missing": folder}
    try:
        recursive_find_python_class(folder, NOBODY, None, folder, verbose=True, cleanup_imports_from_base_folder=True)
    except ANYTHING as error:
        return told(error)
    return {"error": "", "place": ""}


def our_trainers() -> list[str]:
    """Names of the trainer files; the class has the name of its file."""
    from nnunet_skipx import trainers

    names = [module.name for module in pkgutil.iter_modules(trainers.__path__)]
    return [name for name in names if name.startswith("nnUNetTrainer")]


def probe_trainer(name: str) -> dict[str, str]:
    """What nnU-Net's real search has for one name: class, or error and place."""
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    try:
        found = recursive_find_trainer_class_by_name(name)
    except ANYTHING as error:
        return told(error)
    return {"class": f"{found.__module__}.{found.__qualname__}"}


def told(error: BaseException) -> dict[str, str]:
    """An error in a line, and where it came up in the user's files."""
    from nnunet_skipx.nnunet.search import first_line, users_place

    return {"error": first_line(error), "place": users_place(error)}
