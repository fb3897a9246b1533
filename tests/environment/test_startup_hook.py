"""The start-up hook, seen by interpreters that really start."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from nnunet_skipx.discovery import EXT_VARIABLE, ext_path
from nnunet_skipx.environment import startup_hook
from nnunet_skipx.environment.startup_hook import HOOKED, disable, enable, is_enabled

CHECKOUT = Path(__file__).resolve().parents[2]
SHOW = f"import os; print(os.environ.get({EXT_VARIABLE!r}))"
BEFORE_START_FILES, WITH_START_FILES = (3, 14), (3, 15)


def python(*arguments: str, executable: Path | str = sys.executable, **variables: str) -> str:
    """Start a Python without our variable in its environment; anything on stderr is a failure."""
    environment = {key: value for key, value in os.environ.items() if key not in (EXT_VARIABLE, HOOKED, "PYTHONPATH")}
    run = subprocess.run([executable, *arguments], env=environment | variables, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout.rstrip("\n")


def value_at_start(site_folder: Path, **variables: str) -> str:
    """The variable in a Python whose only site folder is this one (-S: not the environment the tests run in)."""
    code = f"import site, sys; site.addsitedir(sys.argv[1]); {SHOW}"
    return python("-S", "-c", code, str(site_folder), **variables)


def value_after_entry_point(site_folder: Path) -> str:
    """What Python 3.15 does with a `.start` file, done by this Python."""
    code = (
        "import pathlib, pkgutil, sys; sys.path.insert(0, sys.argv[1]); "
        "entry = pathlib.Path(sys.argv[1], 'nnunet_skipx_startup.start').read_text().strip(); "
        f"pkgutil.resolve_name(entry)(); {SHOW}"
    )
    return python("-S", "-c", code, str(site_folder))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): b"" if path.is_dir() else path.read_bytes() for path in folder.rglob("*")}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for our discovery folder, under a path as unpleasant as paths come."""
    folder = tmp_path / """it's a "folder" {with} 100 % é\\n""" / "discovery"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    monkeypatch.setattr(startup_hook, "ext_path", lambda: str(folder))
    return folder


@pytest.fixture
def site_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "site packages"
    folder.mkdir()
    (folder / "somebody_else.pth").write_text("# not ours\n")
    return folder


def test_our_folder_is_in_the_variable_when_python_starts(site_folder: Path) -> None:
    enable(site_folder, BEFORE_START_FILES)
    assert value_at_start(site_folder) == ext_path()


def test_the_users_own_folder_stays_first(site_folder: Path) -> None:
    enable(site_folder, BEFORE_START_FILES)
    mine = os.pathsep.join(["/my trainers", "/others"])
    assert value_at_start(site_folder, **{EXT_VARIABLE: mine}) == os.pathsep.join([mine, ext_path()])


def test_our_folder_is_not_appended_when_the_user_set_it(site_folder: Path) -> None:
    enable(site_folder, BEFORE_START_FILES)
    value = os.pathsep.join([ext_path(), "/my trainers"])
    assert value_at_start(site_folder, **{EXT_VARIABLE: value}) == value


def test_the_hook_leaves_word_of_what_it_added_and_of_that_only(site_folder: Path) -> None:
    enable(site_folder, BEFORE_START_FILES)
    code = f"import site, sys, os; site.addsitedir(sys.argv[1]); print(os.environ.get({HOOKED!r}))"
    assert python("-S", "-c", code, str(site_folder)) == "1"
    assert python("-S", "-c", code, str(site_folder), **{EXT_VARIABLE: ext_path()}) == "None"


def test_spaces_quotes_and_accents_in_the_path_survive(site_folder: Path, package: Path) -> None:
    enable(site_folder, BEFORE_START_FILES)
    assert value_at_start(site_folder, PYTHONUTF8="1") == str(package)


def test_nothing_happens_once_the_package_is_uninstalled(site_folder: Path, package: Path) -> None:
    enable(site_folder, WITH_START_FILES)
    (package / "__init__.py").unlink()
    assert value_at_start(site_folder) == "None"
    assert value_after_entry_point(site_folder) == "None"


def test_from_python_3_15_on_the_start_file_names_a_function_that_does_the_same(site_folder: Path) -> None:
    enable(site_folder, WITH_START_FILES)
    assert value_after_entry_point(site_folder) == ext_path()


def test_the_start_file_has_the_name_of_the_pth_file_whose_import_line_it_silences(site_folder: Path) -> None:
    written = enable(site_folder, WITH_START_FILES)
    assert {path.stem for path in written} == {startup_hook.HOOK}
    assert {path.suffix for path in written} == {".pth", ".py", ".start"}
    assert [path.suffix for path in enable(site_folder, BEFORE_START_FILES)] == [".pth"]


def test_the_pth_file_is_one_import_line(site_folder: Path) -> None:
    [path] = enable(site_folder, BEFORE_START_FILES)
    [line] = path.read_text().splitlines()
    assert line.startswith("import ")


def test_the_start_costs_less_than_a_millisecond_and_imports_nothing(site_folder: Path) -> None:
    enable(site_folder, BEFORE_START_FILES)
    code = (
        "import site, sys, time; known = set(sys.modules); start = time.perf_counter(); site.addsitedir(sys.argv[1]); "
        "print(time.perf_counter() - start, sorted(set(sys.modules) - known - {'encodings.utf_8_sig'}))"
    )
    starts = [python("-S", "-c", code, str(site_folder)).split(" ", 1) for _ in range(5)]
    # the fastest of five: a busy machine makes a start slower, never faster
    assert min(float(seconds) for seconds, _ in starts) < 1e-3
    assert {imported for _, imported in starts} == {"[]"}


@pytest.mark.parametrize("version", [BEFORE_START_FILES, WITH_START_FILES])
def test_disable_leaves_no_trace(site_folder: Path, version: tuple[int, int]) -> None:
    before = snapshot(site_folder)
    written = enable(site_folder, version)
    if version == WITH_START_FILES:
        python("-c", "import nnunet_skipx_startup", PYTHONPATH=str(site_folder), PYTHONDONTWRITEBYTECODE="")
        assert (site_folder / "__pycache__").is_dir()
    assert set(written) <= set(disable(site_folder))
    assert snapshot(site_folder) == before


def test_disable_spares_what_others_compiled(site_folder: Path) -> None:
    foreign = site_folder / "__pycache__" / "somebody_else.cpython-311.pyc"
    foreign.parent.mkdir()
    foreign.touch()
    enable(site_folder, WITH_START_FILES)
    disable(site_folder)
    assert foreign.exists()


def test_disable_without_enable_removes_nothing(site_folder: Path) -> None:
    assert disable(site_folder) == []


def test_enabling_twice_is_enabling_once(site_folder: Path) -> None:
    enable(site_folder)
    once = snapshot(site_folder)
    enable(site_folder)
    assert snapshot(site_folder) == once


def test_a_hook_that_points_at_another_installation_does_not_count_as_enabled(
    site_folder: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enable(site_folder)
    assert is_enabled(site_folder)
    monkeypatch.setattr(startup_hook, "ext_path", lambda: "/moved")
    assert not is_enabled(site_folder)


def test_a_failure_halfway_leaves_nothing_behind(site_folder: Path) -> None:
    (site_folder / f"{startup_hook.HOOK}.start").mkdir()
    before = snapshot(site_folder)
    with pytest.raises(OSError, match="use a virtual environment"):
        enable(site_folder, WITH_START_FILES)
    assert snapshot(site_folder) == before


def test_a_folder_that_cannot_be_written_is_named_together_with_the_cure(tmp_path: Path) -> None:
    missing = tmp_path / "no such folder"
    with pytest.raises(FileNotFoundError) as raised:
        enable(missing)
    assert str(missing) in str(raised.value)
    assert f'export {EXT_VARIABLE}="$(skipx ext-path)"' in str(raised.value)


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_site_packages_raise_permission_error_and_stay_as_they_are(site_folder: Path) -> None:
    before = snapshot(site_folder)
    site_folder.chmod(0o555)
    with pytest.raises(PermissionError, match="skipx ext-path"):
        enable(site_folder)
    assert snapshot(site_folder) == before


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_hook_in_read_only_site_packages_is_left_to_the_owner(site_folder: Path) -> None:
    enable(site_folder)
    site_folder.chmod(0o555)
    with pytest.raises(PermissionError, match="as the owner"):
        disable(site_folder)


def test_in_a_real_environment_every_python_and_its_children_see_our_folder_once(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=os.name != "nt")
    executable = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    before = snapshot(tmp_path / "env")
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOW!r}], check=True)"

    def hook(code: str) -> str:
        return python(
            "-c",
            f"from nnunet_skipx.environment.startup_hook import *; print({code})",
            executable=executable,
            PYTHONPATH=str(CHECKOUT),
        )

    assert hook("is_enabled()") == "False"
    hook("enable()")
    assert hook("is_enabled()") == "True"
    assert python("-c", SHOW, executable=executable) == ext_path()
    assert python("-c", parent, executable=executable) == ext_path()
    assert python("-c", parent, executable=executable, **{EXT_VARIABLE: "/mine"}) == f"/mine{os.pathsep}{ext_path()}"
    hook("disable()")
    assert python("-c", SHOW, executable=executable) == "None"
    assert snapshot(tmp_path / "env") == before
