"""The doctor, each condition produced for real; the three full runs are shared by the tests that read them."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnunet_skipx.discovery import EXT_VARIABLE, ext_path
from nnunet_skipx.environment import doctor
from nnunet_skipx.environment.doctor import FAIL, OK, WARN, Check

FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
CHECKOUT = Path(__file__).resolve().parents[2]


class Report:
    """One run of `skipx doctor`: exit code, and per check its status, text and cures."""

    def __init__(self, **variables: str) -> None:
        ours = (*FOLDERS, EXT_VARIABLE, doctor.WORKERS_VARIABLE, doctor.COMPILE_VARIABLE)
        environment = {key: value for key, value in os.environ.items() if key not in ours} | variables
        command = [sys.executable, "-m", "nnunet_skipx.cli", "doctor"]
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
def neglected(tmp_path_factory: pytest.TempPathFactory, folders: dict[str, str]) -> Report:
    """No results folder, a worker count that is none, and a folder of the user's in which an import fails."""
    mine = tmp_path_factory.mktemp("my_trainers")
    (mine / "my_trainer.py").write_text("import a_dependency_that_is_not_installed\n")
    variables = {EXT_VARIABLE: str(mine), doctor.WORKERS_VARIABLE: "many"}
    return Report(**{name: folders[name] for name in FOLDERS[:2]}, **variables)


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


def test_a_missing_results_folder_and_a_bad_worker_count_fail_and_spare_the_imports(neglected: Report) -> None:
    assert neglected.exit_code == 1
    assert neglected.checks["nnUNet_results"].status == FAIL
    assert "export nnUNet_results=" in neglected.cures["nnUNet_results"][0]
    assert neglected.checks[doctor.WORKERS_VARIABLE].status == FAIL
    assert neglected.cures[doctor.WORKERS_VARIABLE] == [f"unset {doctor.WORKERS_VARIABLE}"]
    assert neglected.checks["import nnunetv2"].status == OK


def test_a_trainer_hidden_by_the_users_own_broken_folder_fails_with_the_folder_to_drop(neglected: Report) -> None:
    trainers = [name for name in neglected.checks if name.startswith("nnUNetTrainer")]
    assert trainers
    for name in trainers:
        assert neglected.checks[name].status == FAIL
        assert "a_dependency_that_is_not_installed" in neglected.checks[name].text
        assert neglected.cures[name] == [f'export {EXT_VARIABLE}="$(skipx ext-path)"']


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
    assert (check.status, "not writable" in check.text) == (FAIL, True)
    subprocess.run(check.cure, shell=True, check=True)
    assert doctor.check_folder("nnUNet_results", "written by training", FAIL).status == OK


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


def test_the_hook_serves_plain_commands_as_well_as_the_variable() -> None:
    assert doctor.check_plain_commands("", hook=True).status == OK
    assert doctor.check_plain_commands(os.pathsep.join(["/mine", ext_path() + os.sep]), hook=False).status == OK
    assert doctor.check_plain_commands("/mine", hook=False).cure == "skipx enable"


def test_a_python_that_dies_on_import_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("import os; os.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    [check] = doctor.checks_from_probe(doctor.ask_probe())
    assert (check.status, check.cure) == (FAIL, doctor.MATCHING_PAIR)


def test_an_installation_without_trainer_files_fails() -> None:
    [check] = doctor.check_trainers({}, "")
    assert (check.status, check.cure) == (FAIL, doctor.REINSTALL)
