"""`skipx doctor`: can training work here, and if not, which one command cures it.

Everything that imports torch or nnU-Net happens in one subprocess (`probe`), which answers in JSON: a broken
torchvision breaks the probe's answer and not the doctor, and nnU-Net's chatter stays inside.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from typing import Any

from nnunet_skipx.discovery import EXT_VARIABLE, append_to_environment, ext_path
from nnunet_skipx.environment.check import FAIL, OK, WARN, Check
from nnunet_skipx.environment.convolutions import check_convolutions
from nnunet_skipx.environment.origin import reinstall_command
from nnunet_skipx.environment.startup_hook import is_enabled
from nnunet_skipx.system.interpreter import python

TESTED_PYTHONS = ((3, 10), (3, 13))
NNUNET_REQUIREMENT = "nnunetv2>=2.8,<3"
NNUNET_VERSIONS = ((2, 8), (3, 0))
PAIR = ("2.15.0", "0.29.2") if sys.version_info >= (3, 11) else ("2.14.0", "0.29.0")  # as in constraints.txt
MATCHING_PAIR = f"pip install torch=={PAIR[0]} torchvision=={PAIR[1]}"
BROKEN_TORCHVISION = "operator torchvision::nms does not exist"
REINSTALL = reinstall_command()

# each needs those before it, so the first that fails is the one to cure
IMPORTS = {
    "import torch": "torch",
    "import torchvision": "torchvision",
    "import nnunetv2": "nnunetv2.training.nnUNetTrainer.nnUNetTrainer",
}

WORKERS_VARIABLE = "nnUNet_n_proc_DA"
COMPILE_VARIABLE = "nnUNet_compile"

# what an import or nnU-Net's search can raise; anything else ends the probe and is reported by its last line
IMPORT_ERRORS = (ImportError, RuntimeError, OSError, AttributeError, TypeError, ValueError, AssertionError, SyntaxError)


def run_doctor() -> int:
    """Print every check with its cure; 1 if training could not work, else 0."""
    checks = all_checks()
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{check.status:<4}  {check.name:<{width}}  {check.text}")
        if check.status != OK:
            print(f"{'':<4}  {'':<{width}}  cure: {check.cure}")
    failures = sum(check.status == FAIL for check in checks)
    print(f"\nTraining cannot work here: {failures} FAIL above." if failures else "\nTraining can work here.")
    return 1 if failures else 0


def all_checks() -> list[Check]:
    """Every check, quick ones first."""
    return [
        check_python(sys.version_info[:2]),
        check_nnunet_version(),
        check_folder("nnUNet_raw", "planning and preprocessing read it", WARN),
        check_folder("nnUNet_preprocessed", "training reads it", FAIL),
        check_folder("nnUNet_results", "training writes it", FAIL),
        check_workers(os.environ.get(WORKERS_VARIABLE), os.cpu_count() or 1),
        *checks_from_probe(ask_probe()),
        check_plain_commands(os.environ.get(EXT_VARIABLE, ""), is_enabled()),
    ]


def check_python(version: tuple[int, ...]) -> Check:
    text = ".".join(map(str, version))
    first, last = TESTED_PYTHONS
    if first <= version <= last:
        return Check("Python", OK, text)
    return Check("Python", WARN, f"{text} is untested (3.10 to 3.13 are)", "python3.12 -m venv .venv")


def check_nnunet_version() -> Check:
    cure = f'pip install "{NNUNET_REQUIREMENT}"'
    try:
        text = importlib.metadata.version("nnunetv2")
    except importlib.metadata.PackageNotFoundError:
        return Check("nnunetv2", FAIL, "not installed", cure)
    first, beyond = NNUNET_VERSIONS
    if first <= tuple(map(int, re.findall(r"\d+", text)[:2])) < beyond:
        return Check("nnunetv2", OK, text)
    return Check("nnunetv2", FAIL, f"{text} is not in {NNUNET_REQUIREMENT}", cure)


def check_folder(variable: str, purpose: str, severity: str) -> Check:
    folder = os.environ.get(variable)
    elsewhere = f'mkdir -p "$HOME/{variable}" && export {variable}="$HOME/{variable}"'
    if not folder:
        return Check(variable, severity, f"not set ({purpose})", elsewhere)
    if not os.path.exists(folder):
        return Check(variable, severity, f"{folder} does not exist ({purpose})", f"mkdir -p {shlex.quote(folder)}")
    if not os.path.isdir(folder):
        return Check(variable, severity, f"{folder} is not a folder ({purpose})", elsewhere)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(variable, severity, f"{folder} is not writable", f"chmod u+rwx {shlex.quote(folder)}")
    return Check(variable, OK, folder)


def check_workers(value: str | None, processors: int) -> Check:
    cure = f"unset {WORKERS_VARIABLE}"
    if value is None:
        return Check(WORKERS_VARIABLE, OK, "not set: nnU-Net chooses")
    try:
        workers = int(value)
    except ValueError:
        return Check(WORKERS_VARIABLE, FAIL, f"{value!r} is not an integer", cure)
    if workers < 0:
        return Check(WORKERS_VARIABLE, FAIL, f"{workers} is negative", cure)
    if workers == 0:
        text = "0 suits training on the CPU but crashes planning: set it for nnUNetv2_train only"
        return Check(WORKERS_VARIABLE, WARN, text, cure)
    if workers > processors:
        text = f"{workers} workers on {processors} processors"
        return Check(WORKERS_VARIABLE, WARN, text, f"export {WORKERS_VARIABLE}={processors}")
    return Check(WORKERS_VARIABLE, OK, str(workers))


def checks_from_probe(answer: dict[str, Any]) -> list[Check]:
    if "died" in answer:
        return [Check("imports", FAIL, answer["died"], MATCHING_PAIR)]
    checks = [check_import(name, error) for name, error in answer["imports"].items()]
    if "cuda" in answer:
        checks += [check_gpu(answer["cuda"]), check_compile(answer, os.environ.get(COMPILE_VARIABLE))]
        if answer["cuda"]:
            checks.append(check_convolutions(**answer["versions"], other_torch=MATCHING_PAIR))
    # without nnU-Net no trainer can be looked up, and the failed import says so already
    if "trainers" in answer:
        checks += check_trainers(answer["trainers"], os.environ.get(EXT_VARIABLE, ""))
    return checks


def check_import(name: str, error: str) -> Check:
    if not error:
        return Check(name, OK, "works")
    if BROKEN_TORCHVISION in error:
        return Check(name, FAIL, f"{BROKEN_TORCHVISION}: torchvision was built for another torch", MATCHING_PAIR)
    return Check(name, FAIL, error, f'pip install "{NNUNET_REQUIREMENT}"' if "nnunetv2" in name else MATCHING_PAIR)


def check_gpu(name: str) -> Check:
    if name:
        return Check("GPU", OK, name)
    return Check("GPU", WARN, "no CUDA GPU: training works on the CPU, slowly", "add `-device cpu` to nnUNetv2_train")


def check_compile(answer: dict[str, Any], setting: str | None) -> Check:
    name = "torch.compile"
    if not answer["cuda"]:
        return Check(name, OK, "not used: nnU-Net compiles on CUDA only")
    if setting is not None and setting.lower() not in ("true", "1", "t"):
        return Check(name, OK, f"switched off by {COMPILE_VARIABLE}={setting}")
    tools = {"Triton": answer["triton"], "a C compiler": answer["compiler"]}
    missing = [tool for tool, found in tools.items() if not found]
    if missing:
        text = f"on by default on CUDA, but {' and '.join(missing)} is missing"
        return Check(name, WARN, text, f"export {COMPILE_VARIABLE}=0")
    return Check(name, OK, "on: Triton and a C compiler are there")


def check_trainers(trainers: dict[str, dict[str, str]], user_variable: str) -> list[Check]:
    """What nnU-Net's own search says of each trainer of ours."""
    if not trainers:
        return [Check("trainers", FAIL, "nnunet_skipx.trainers holds no trainer", REINSTALL)]
    others = [folder for folder in user_variable.split(os.pathsep) if folder and folder != ext_path()]
    # the search goes through the user's folders first, and stops at the first module that cannot be imported
    cure = f'export {EXT_VARIABLE}="$(skipx ext-path)"' if others else REINSTALL
    return [
        Check(name, FAIL, found["error"], cure) if "error" in found else Check(name, OK, f"is {found['class']}")
        for name, found in trainers.items()
    ]


def check_plain_commands(user_variable: str, hook: bool) -> Check:
    """Whether nnUNetv2_train, started by the user and not by us, finds our trainers."""
    name = "plain nnUNetv2_*"
    if ext_path() in map(os.path.realpath, user_variable.split(os.pathsep)):
        return Check(name, OK, f"find our trainers: {EXT_VARIABLE} is set")
    if hook:
        return Check(name, OK, "find our trainers: the start-up hook is enabled")
    return Check(name, WARN, "do not find our trainers in this environment", "skipx enable")


def ask_probe() -> dict[str, Any]:
    """Run `probe` in a subprocess; `{"died": why}` if it gave no answer."""
    # a bad worker count has its own check and would only make nnU-Net's imports fail as well
    environment = {key: value for key, value in os.environ.items() if key != WORKERS_VARIABLE}
    command = python("-c", "from nnunet_skipx.environment.doctor import probe; probe()")
    run = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if run.returncode == 0:
        return dict(json.loads(run.stdout.splitlines()[-1]))
    lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
    return {"died": f"importing torch and nnU-Net ended Python: {lines[-1]}"}


def probe() -> None:
    """Runs in the subprocess: import, ask, and print one line of JSON after whatever nnU-Net printed."""
    append_to_environment()
    imports = probe_imports()
    answer: dict[str, Any] = {"imports": imports}
    if imports["import torch"] == "":
        answer |= probe_gpu()
    if imports.get("import nnunetv2") == "":
        answer["trainers"] = {name: probe_trainer(name) for name in our_trainers()}
    print(json.dumps(answer))


def probe_imports() -> dict[str, str]:
    """Import one after the other, up to the first that fails: name -> error, empty if it works."""
    errors: dict[str, str] = {}
    for name, module in IMPORTS.items():
        try:
            importlib.import_module(module)
        except IMPORT_ERRORS as error:
            return errors | {name: first_line(error)}
        errors[name] = ""
    return errors


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


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


def our_trainers() -> list[str]:
    """Names of the trainer files; the class has the name of its file."""
    from nnunet_skipx import trainers

    names = [module.name for module in pkgutil.iter_modules(trainers.__path__)]
    return [name for name in names if name.startswith("nnUNetTrainer")]


def probe_trainer(name: str) -> dict[str, str]:
    """nnU-Net's real search for one name."""
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    try:
        found = recursive_find_trainer_class_by_name(name)
    except IMPORT_ERRORS as error:
        return {"error": first_line(error)}
    return {"class": f"{found.__module__}.{found.__qualname__}"}
