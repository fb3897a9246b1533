"""`skipx doctor`: can training work here, and if not, which one command or change cures it."""

import errno
import importlib.metadata
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from nnunet_skipx.discovery import EXT_VARIABLE, ext_path
from nnunet_skipx.environment.check import FAIL, OK, WARN, Check
from nnunet_skipx.environment.convolutions import check_convolutions
from nnunet_skipx.environment.origin import reinstall_command
from nnunet_skipx.environment.probe import STEP, WORKERS_VARIABLE, ask_probe
from nnunet_skipx.environment.startup_hook import HOOKED, is_enabled
from nnunet_skipx.system.os_errors import cure_of

TESTED_PYTHONS = ((3, 10), (3, 13))
NNUNET_REQUIREMENT = "nnunetv2>=2.8,<3"
NNUNET_VERSIONS = ((2, 8), (3, 0))
PAIR = ("2.15.0", "0.29.2") if sys.version_info >= (3, 11) else ("2.14.0", "0.29.0")  # as in constraints.txt
MATCHING_PAIR = f"pip install torch=={PAIR[0]} torchvision=={PAIR[1]}"
BROKEN_TORCHVISION = "operator torchvision::nms does not exist"
REINSTALL = reinstall_command()
COMPILE_VARIABLE = "nnUNet_compile"
PAGE = 4096  # bytes: some disks let an empty file be made when they are full


def run_doctor(trainers: Sequence[str] = ()) -> int:
    """Print every check with its cure; 1 if training could not work, else 0.

    trainers: what to look for as nnU-Net does; ours where there are none.
    """
    checks = all_checks(trainers)
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{check.status:<4}  {check.name:<{width}}  {check.text}")
        if check.status != OK:
            print(f"{'':<4}  {'':<{width}}  cure: {check.cure}")
    failures = sum(check.status == FAIL for check in checks)
    print(f"\nTraining cannot work here: {failures} FAIL above." if failures else "\nTraining can work here.")
    return 1 if failures else 0


def all_checks(trainers: Sequence[str] = ()) -> list[Check]:
    """Every check, quick ones first."""
    probed = checks_from_probe(ask_probe(trainers), trainers)
    hidden = any(check.name == EXT_VARIABLE and check.status == FAIL for check in probed)
    return [
        check_python(sys.version_info[:2]),
        check_nnunet_version(),
        check_folder("nnUNet_raw", "planning and preprocessing read it", WARN),
        check_folder("nnUNet_preprocessed", "training reads it", FAIL),
        check_folder("nnUNet_results", "training writes it", FAIL),
        check_workers(os.environ.get(WORKERS_VARIABLE), os.cpu_count() or 1),
        *probed,
        check_plain_commands(os.environ.get(EXT_VARIABLE, ""), is_enabled(), hidden),
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
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * PAGE)
            file.flush()
    except OSError as error:
        cure = (
            f"chmod u+rwx {shlex.quote(folder)}" if error.errno == errno.EACCES and _is_mine(folder) else cure_of(error)
        )
        return Check(variable, severity, f"{folder} cannot be written to ({error.strerror})", cure)
    return Check(variable, OK, folder)


def _is_mine(folder: str) -> bool:
    """Whether its owner could give himself the right to write into it."""
    return hasattr(os, "geteuid") and os.stat(folder).st_uid == os.geteuid()


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


def checks_from_probe(answer: dict[str, Any], wanted: Sequence[str] = ()) -> list[Check]:
    checks = [check_import(name, error) for name, error in answer["imports"].items()]
    if "cuda" in answer:
        checks.append(check_gpu(answer["cuda"]))
    if "compiler" in answer:
        checks.append(check_compile(answer, os.environ.get(COMPILE_VARIABLE)))
        if answer["cuda"]:
            checks.append(check_convolutions(**answer["versions"], other_torch=MATCHING_PAIR))
    checks += [check_users_folder(folder, **found) for folder, found in answer["folders"].items()]
    checks += [check_trainer(name, found, name in wanted) for name, found in answer["trainers"].items()]
    if "died" in answer:
        return [*checks, check_death(answer["died"], answer.get(STEP, ""))]
    if not answer["trainers"] and not any(answer["imports"].values()):
        checks.append(Check("trainers", FAIL, "nnunet_skipx.trainers holds no trainer", REINSTALL))
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


def check_users_folder(folder: str, error: str, place: str, missing: str = "") -> Check:
    """A folder of the user's that nnU-Net searches before ours."""
    if missing:
        text = f"{folder} does not exist: nnU-Net passes it over"
        return Check(EXT_VARIABLE, WARN, text, f"take it out of {EXT_VARIABLE}, or correct the path")
    if not error:
        return Check(EXT_VARIABLE, OK, f"{folder}: every module can be imported")
    text = f"{place or folder}: {error}; nnU-Net's search ends here, for every trainer that it has not found before"
    return Check(EXT_VARIABLE, FAIL, text, f"correct that file, or move it out of {folder}")


def check_trainer(name: str, found: dict[str, str], wanted: bool) -> Check:
    """What nnU-Net's own search says of a trainer; wanted: the user has asked for it."""
    if "class" in found:
        return Check(name, OK, f"is {found['class']}")
    if found["place"]:
        return Check(name, FAIL, f"{found['place']}: {found['error']}", "correct that file, or move it elsewhere")
    if not wanted:
        return Check(name, FAIL, found["error"], REINSTALL)
    kind, _, words = found["error"].partition(": ")
    text = "nnU-Net finds no trainer of this name" if kind == "RuntimeError" else words.partition(". ")[0]
    return Check(name, FAIL, text, "skipx list  # and write it as it stands there, or in your own file")


def check_death(words: str, step: str) -> Check:
    """What was under way when Python ended: the imports, a folder of the user's, or a trainer."""
    if not step:
        return Check("imports", FAIL, f"importing torch and nnU-Net ended Python: {words}", MATCHING_PAIR)
    name = EXT_VARIABLE if os.path.isdir(step) else step
    cure = f"move the modules of {step} elsewhere one by one" if name == EXT_VARIABLE else REINSTALL
    return Check(name, FAIL, f"importing the modules of {step} ended Python: {words}", cure)


def check_plain_commands(user_variable: str, hook: bool, hidden: bool = False) -> Check:
    """Whether nnUNetv2_train, started by the user and not by us, finds our trainers; hidden: behind a broken file."""
    name = "plain nnUNetv2_*"
    if hidden:
        return Check(name, WARN, f"do not come to our trainers, because of {EXT_VARIABLE} above", "the cure there")
    if hook and os.environ.get(HOOKED):
        return Check(name, OK, f"find our trainers: the start-up hook adds our folder to {EXT_VARIABLE}")
    if ext_path() in map(os.path.realpath, user_variable.split(os.pathsep)):
        return Check(name, OK, f"find our trainers: you have set {EXT_VARIABLE}, for this shell")
    if hook:
        return Check(name, OK, "find our trainers: the start-up hook is enabled")
    return Check(name, WARN, "do not find our trainers in this environment", "skipx enable")
