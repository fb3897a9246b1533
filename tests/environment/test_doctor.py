"""The doctor, each condition produced for real; the full runs are shared by the tests that read them."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nnunet_skipx.discovery import EXT_VARIABLE, ext_path
from nnunet_skipx.environment import doctor
from nnunet_skipx.environment.doctor import FAIL, OK, WARN, Check
from nnunet_skipx.environment.probe import ask_probe, probe_folder
from nnunet_skipx.environment.startup_hook import HOOKED
from nnunet_skipx.nnunet.search import UnusableModuleError, find_trainer, users_folders
from tests.forking.fixture import ForkServer
from tests.forking.small_disk import small_disk

FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
CHECKOUT = Path(__file__).resolve().parents[2]


class Report:
    """One run of `skipx doctor`: exit code, and per check its status, text and cures."""

    def __init__(self, *words: str, python: Path | str = sys.executable, **variables: str) -> None:
        ours = (*FOLDERS, EXT_VARIABLE, doctor.WORKERS_VARIABLE, doctor.COMPILE_VARIABLE)
        environment = {key: value for key, value in os.environ.items() if key not in ours} | variables
        command = [python, "-m", "nnunet_skipx.cli", "doctor", *words]
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        self.exit_code, self.output, self.errors = run.returncode, run.stdout, run.stderr
        self.checks: dict[str, Check] = {}
        self.cures: dict[str, list[str]] = {}
        for line in run.stdout.split("\n\n")[0].splitlines():
            self.read(line)

    def read(self, line: str) -> None:
        if line.lstrip().startswith("cure: "):
            self.cures[list(self.checks)[-1]].append(line.split("cure: ", 1)[1])
            return
        status, rest = line.split(maxsplit=1)
        name, text = rest.split("  ", 1)
        self.checks[name], self.cures[name] = Check(name, status, text.strip()), []


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: str(tmp_path_factory.mktemp(name)) for name in FOLDERS}


@pytest.fixture(scope="module")
def healthy(folders: dict[str, str]) -> Report:
    return Report(**folders, **{EXT_VARIABLE: ext_path()})


@pytest.fixture(scope="module")
def broken_torchvision(tmp_path_factory: pytest.TempPathFactory, folders: dict[str, str]) -> Report:
    fake = tmp_path_factory.mktemp("first_on_the_path")
    (fake / "torchvision.py").write_text(f"raise RuntimeError({doctor.BROKEN_TORCHVISION!r})\n")
    path = os.pathsep.join(filter(None, [str(fake), os.environ.get("PYTHONPATH")]))
    return Report(**folders, PYTHONPATH=path)


@pytest.fixture(scope="module")
def neglected(tmp_path_factory: pytest.TempPathFactory, folders: dict[str, str], forks: ForkServer) -> Report:
    """No results folder, a worker count that is none, and a folder of the user's in which an import fails."""
    mine = tmp_path_factory.mktemp("my_trainers")
    (mine / "my_trainer.py").write_text("\nimport a_dependency_that_is_not_installed\n")
    variables = {EXT_VARIABLE: str(mine), doctor.WORKERS_VARIABLE: "many"}
    return Report(python=forks.python, **{name: folders[name] for name in FOLDERS[:2]}, **variables, **forks.variables)


@pytest.mark.slow
def test_a_healthy_installation_exits_with_0(healthy: Report) -> None:
    assert healthy.exit_code == 0, healthy.output
    assert FAIL not in {check.status for check in healthy.checks.values()}
    assert all(healthy.checks[name].status == OK for name in (*FOLDERS, "import nnunetv2", "plain nnUNetv2_*"))


@pytest.mark.slow
def test_nnunets_own_search_finds_every_trainer_file(healthy: Report) -> None:
    names = [path.stem for path in (CHECKOUT / "trainers").glob("nnUNetTrainer*.py")]
    assert names
    for name in names:
        assert healthy.checks[name].status == OK
        assert healthy.checks[name].text.startswith("is nnunet_skipx.")


@pytest.mark.slow
def test_nnunets_chatter_stays_out_of_the_report(healthy: Report, neglected: Report) -> None:
    for report in (healthy, neglected):
        assert report.errors == ""
        assert "Searching" not in report.output
        assert "Inspecting" not in report.output


@pytest.mark.slow
def test_every_problem_has_exactly_one_cure_and_every_ok_has_none(
    healthy: Report, broken_torchvision: Report, neglected: Report
) -> None:
    for report in (healthy, broken_torchvision, neglected):
        for name, check in report.checks.items():
            assert len(report.cures[name]) == (check.status != OK), name


def test_a_torchvision_built_for_another_torch_is_recognised_and_cured_with_the_matching_pair(
    broken_torchvision: Report,
) -> None:
    assert broken_torchvision.exit_code == 1
    assert broken_torchvision.checks["import torch"].status == OK
    assert doctor.BROKEN_TORCHVISION in broken_torchvision.checks["import torchvision"].text
    assert broken_torchvision.cures["import torchvision"] == [doctor.MATCHING_PAIR]
    # what fails only because torchvision does is no second problem
    failed = [name for name, check in broken_torchvision.checks.items() if check.status == FAIL]
    assert failed == ["import torchvision"]


def test_the_matching_pair_is_the_tested_one() -> None:
    tested = (CHECKOUT / "constraints.txt").read_text().replace(";", " ").split()
    assert set(doctor.MATCHING_PAIR.split()[2:]) <= set(tested)


def test_without_hook_and_variable_plain_commands_are_told_to_enable(broken_torchvision: Report) -> None:
    if doctor.is_enabled():
        pytest.skip("the start-up hook is enabled in this environment")
    assert broken_torchvision.checks["plain nnUNetv2_*"].status == WARN
    assert broken_torchvision.cures["plain nnUNetv2_*"] == ["skipx enable"]


@pytest.mark.slow
def test_a_missing_results_folder_and_a_bad_worker_count_fail_and_spare_the_imports(neglected: Report) -> None:
    assert neglected.exit_code == 1
    assert neglected.checks["nnUNet_results"].status == FAIL
    assert "export nnUNet_results=" in neglected.cures["nnUNet_results"][0]
    assert neglected.checks[doctor.WORKERS_VARIABLE].status == FAIL
    assert neglected.cures[doctor.WORKERS_VARIABLE] == [f"unset {doctor.WORKERS_VARIABLE}"]
    assert neglected.checks["import nnunetv2"].status == OK


def test_a_broken_file_of_the_users_is_named_and_our_trainers_are_not_blamed(neglected: Report) -> None:
    text = neglected.checks[EXT_VARIABLE].text
    assert re.search(
        r"/my_trainer.py, line 2: ModuleNotFoundError: No module named 'a_dependency_that_is_not_installed'", text
    )
    assert [cure.startswith("correct that file, or move it out of /") for cure in neglected.cures[EXT_VARIABLE]] == [
        True
    ]
    trainers = [name for name in neglected.checks if name.startswith("nnUNetTrainer")]
    assert trainers and {neglected.checks[name].status for name in trainers} == {OK}
    assert neglected.checks["plain nnUNetv2_*"].text.startswith("do not come to our trainers")


BROKEN = {
    "syntax.py": ("def f(:\n", r"syntax\.py, line 1: SyntaxError"),
    "name.py": ("x = 1\nnot_there\n", r"name\.py, line 2: NameError"),
    "leaves.py": ("import sys\n\nsys.exit('bye')\n", r"leaves\.py, line 3: SystemExit: bye"),
    "package/inside.py": ("from .helper import x\n", r"helper\.py, line 1: ZeroDivisionError"),
}


@pytest.mark.parametrize("file", BROKEN)
def test_whatever_the_users_file_raises_the_file_is_named(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, words = BROKEN[file]
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "helper.py").write_text("1 / 0\n" if "/" in file else "")
    (tmp_path / file).write_text(content)
    monkeypatch.setenv(EXT_VARIABLE, os.pathsep.join([str(tmp_path), ext_path()]))
    check = doctor.check_users_folder(str(tmp_path), **probe_folder(str(tmp_path)))
    assert check.status == FAIL and re.search(words, check.text), check.text
    with pytest.raises(UnusableModuleError, match=words.replace(": ", r" \(", 1)):
        find_trainer("nnUNetTrainerUTANet")


def test_what_an_environment_in_the_users_folder_raises_is_told_of_the_file_that_imports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / ".venv" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "its_dependency.py").write_text("1 / 0\n")
    (tmp_path / "mine.py").write_text("import its_dependency\n")
    monkeypatch.syspath_prepend(installed)
    monkeypatch.setenv(EXT_VARIABLE, str(tmp_path))
    assert probe_folder(str(tmp_path)) == {
        "error": "ZeroDivisionError: division by zero",
        "place": f"{tmp_path / 'mine.py'}, line 1",
    }


def test_folders_of_trainers_that_are_missing_or_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("class Mine: pass\n")
    monkeypatch.setenv(EXT_VARIABLE, os.pathsep.join([str(tmp_path / "gone"), str(tmp_path)]))
    assert users_folders() == [str(tmp_path / "gone"), str(tmp_path)]
    statuses = [doctor.check_users_folder(folder, **probe_folder(folder)).status for folder in users_folders()]
    assert statuses == [WARN, OK]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, folders: dict[str, str], forks: ForkServer) -> Report:
    """A trainer of the user's, one of ours, and two that there are not."""
    mine = tmp_path_factory.mktemp("my_trainers")
    (mine / "mine.py").write_text(
        "from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import *\n\n\nclass Mine(nnUNetTrainer):\n    pass\n"
    )
    names = ("Mine", "nnUNetTrainerUTANet_twin_bf16", "nnUNetTrainerUTANet_twn", "Nobody")
    folders = folders | {EXT_VARIABLE: os.pathsep.join([str(mine), ext_path()])}
    return Report("-tr", *names, python=forks.python, **folders, **forks.variables)


@pytest.mark.slow
def test_trainers_that_are_asked_for_are_found_or_said_not_to_be(asked: Report) -> None:
    assert asked.exit_code == 1
    assert asked.checks["Mine"] == Check("Mine", OK, "is mine.Mine")
    assert asked.checks["nnUNetTrainerUTANet_twin_bf16"].status == OK
    assert "nnUNetTrainerUTANet" not in asked.checks, "others are not looked for"
    assert (asked.checks["nnUNetTrainerUTANet_twn"].status, asked.checks["Nobody"].status) == (FAIL, FAIL)
    assert asked.checks["nnUNetTrainerUTANet_twn"].text.endswith("there is no option '_twn' (did you mean _twin?)")
    assert asked.checks["Nobody"].text == "nnU-Net finds no trainer of this name"
    assert asked.cures["Nobody"][0].startswith("skipx list")


@pytest.mark.slow
def test_a_module_that_ends_python_leaves_the_answers_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends.py").write_text("import os\n\nos.abort()\n")
    monkeypatch.setenv(EXT_VARIABLE, str(tmp_path))
    *others, last = doctor.checks_from_probe(ask_probe())
    assert {check.status for check in others if check.name.startswith("import")} == {OK}
    assert last.status == FAIL and str(tmp_path) in last.text and last.name == EXT_VARIABLE
    assert last.cure == f"move the modules of {tmp_path} elsewhere one by one"


def test_an_unset_folder_is_made_and_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("nnUNet_raw", raising=False)
    check = doctor.check_folder("nnUNet_raw", "read by planning", WARN)
    assert (check.status, check.cure) == (WARN, 'mkdir -p "$HOME/nnUNet_raw" && export nnUNet_raw="$HOME/nnUNet_raw"')


def test_the_cure_of_a_missing_folder_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my $results"
    monkeypatch.setenv("nnUNet_results", str(folder))
    check = doctor.check_folder("nnUNet_results", "written by training", FAIL)
    assert (check.status, str(folder) in check.text) == (FAIL, True)
    subprocess.run(check.cure, shell=True, check=True)
    assert doctor.check_folder("nnUNet_results", "written by training", FAIL).status == OK


def test_a_file_in_place_of_a_folder_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("nnUNet_results", str(tmp_path / "file"))
    check = doctor.check_folder("nnUNet_results", "written by training", FAIL)
    assert (check.status, "is not a folder" in check.text) == (FAIL, True)


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_the_cure_of_a_read_only_folder_makes_it_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o555)
    monkeypatch.setenv("nnUNet_results", str(tmp_path))
    check = doctor.check_folder("nnUNet_results", "written by training", FAIL)
    assert (check.status, "cannot be written to (Permission denied)" in check.text) == (FAIL, True)
    subprocess.run(check.cure, shell=True, check=True)
    assert doctor.check_folder("nnUNet_results", "written by training", FAIL).status == OK


def test_a_disk_that_is_full_or_read_only_is_noticed_by_root_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("nnUNet_results", str(tmp_path))
    with small_disk(tmp_path) as disk:
        disk.resize(os.sysconf("SC_PAGE_SIZE"))
        (tmp_path / "fills").write_bytes(b"0" * os.sysconf("SC_PAGE_SIZE"))
        check = doctor.check_folder("nnUNet_results", "written by training", FAIL)
        assert check.text.endswith("cannot be written to (No space left on device)") and "free some space" in check.cure
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        check = doctor.check_folder("nnUNet_results", "written by training", FAIL)
        assert check.text.endswith("cannot be written to (Read-only file system)")
        assert check.cure == "give yourself the right to it, or choose another place"


@pytest.mark.parametrize(
    ("value", "status", "cure"),
    [
        (None, OK, ""),
        ("4", OK, ""),
        ("5", WARN, "export nnUNet_n_proc_DA=4"),
        ("0", WARN, "unset nnUNet_n_proc_DA"),
        ("-1", FAIL, "unset nnUNet_n_proc_DA"),
        ("two", FAIL, "unset nnUNet_n_proc_DA"),
        ("", FAIL, "unset nnUNet_n_proc_DA"),
    ],
)
def test_worker_counts_on_four_processors(value: str | None, status: str, cure: str) -> None:
    check = doctor.check_workers(value, processors=4)
    assert (check.status, check.cure) == (status, cure)


@pytest.mark.parametrize(("version", "status"), [("2.7.9", FAIL), ("2.8", OK), ("2.12.1", OK), ("3.0.0rc1", FAIL)])
def test_versions_of_nnunet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, status: str) -> None:
    metadata = tmp_path / f"nnunetv2-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: nnunetv2\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.metadata.version("nnunetv2") == version
    assert doctor.check_nnunet_version().status == status


def test_a_missing_nnunet_is_installed_with_the_versions_we_support(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    check = doctor.check_nnunet_version()
    assert (check.status, check.cure) == (FAIL, 'pip install "nnunetv2>=2.8,<3"')
    assert doctor.NNUNET_REQUIREMENT in (CHECKOUT / "setup.py").read_text()


@pytest.mark.parametrize(("version", "status"), [((3, 9), WARN), ((3, 10), OK), ((3, 13), OK), ((3, 14), WARN)])
def test_versions_of_python(version: tuple[int, int], status: str) -> None:
    assert doctor.check_python(version).status == status


@pytest.mark.parametrize(
    ("found", "setting", "status"),
    [
        ({"cuda": "", "triton": False, "compiler": False}, None, OK),
        ({"cuda": "H100", "triton": True, "compiler": True}, None, OK),
        ({"cuda": "H100", "triton": False, "compiler": True}, None, WARN),
        ({"cuda": "H100", "triton": True, "compiler": False}, "T", WARN),
        ({"cuda": "H100", "triton": False, "compiler": False}, "0", OK),
    ],
)
def test_compiling_on_cuda_needs_triton_and_a_c_compiler(
    found: dict[str, object], setting: str | None, status: str
) -> None:
    check = doctor.check_compile(found, setting)
    assert check.status == status
    assert check.cure == ("export nnUNet_compile=0" if status == WARN else "")


def test_without_a_gpu_the_cpu_is_offered() -> None:
    assert doctor.check_gpu("").status == WARN
    assert doctor.check_gpu("").cure == "add `-device cpu` to nnUNetv2_train"
    assert doctor.check_gpu("NVIDIA H100") == Check("GPU", OK, "NVIDIA H100")


def test_the_hook_serves_plain_commands_as_well_as_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOOKED, raising=False)
    ours = os.pathsep.join(["/mine", ext_path() + os.sep])
    assert doctor.check_plain_commands("", hook=True).status == OK
    assert "you have set" in doctor.check_plain_commands(ours, hook=False).text
    assert "you have set" in doctor.check_plain_commands(ours, hook=True).text
    monkeypatch.setenv(HOOKED, "1")  # as the hook does where it adds our folder
    assert "the start-up hook adds" in doctor.check_plain_commands(ours, hook=True).text
    assert doctor.check_plain_commands("/mine", hook=False).cure == "skipx enable"


def test_a_python_that_dies_on_import_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("import os; os.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    [check] = doctor.checks_from_probe(ask_probe())
    assert (check.status, check.cure) == (FAIL, doctor.MATCHING_PAIR)


def test_an_installation_without_trainer_files_fails() -> None:
    [check] = doctor.checks_from_probe({"imports": {}, "folders": {}, "trainers": {}})
    assert (check.status, check.cure) == (FAIL, doctor.REINSTALL)
