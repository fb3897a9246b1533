"""The command as a whole: places, overwriting, interruptions, and the one sentence of an error."""

import errno
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from nnunet_skipx.cli.main import main
from nnunet_skipx.datasets import convert as conversion
from nnunet_skipx.datasets.catalogue import CONVERTERS
from nnunet_skipx.datasets.destination import VARIABLES
from nnunet_skipx.datasets.parallel import in_parallel
from nnunet_skipx.datasets.phantom import write_phantom
from nnunet_skipx.datasets.titles import DATASETS
from tests.datasets.sources import write_isic

NAME = "Dataset007_Phantom"


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("source"), 6, 1, shape=(16, 16, 16))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """nnU-Net's three folders, empty."""
    for variable in VARIABLES:
        monkeypatch.setenv(variable, str(tmp_path / variable))
        (tmp_path / variable).mkdir()
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without nnU-Net's integrity check, whose pool takes seconds, for tests of what happens around it."""
    from nnunetv2.experiment_planning import verify_dataset_integrity as module

    monkeypatch.setattr(module, "verify_dataset_integrity", lambda folder, processes: None)


def convert(task: Path, *more: str) -> int:
    return main(["convert", "msd", str(task), "-d", "7", "-np", "1", *more])


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class TestCommand:
    def test_every_data_set_has_a_parser_and_a_converter(self) -> None:
        assert DATASETS.keys() == CONVERTERS.keys()

    def test_it_says_what_it_wrote_and_what_comes_next(
        self, task: Path, folders: Path, quick: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert convert(task) == 0
        output = capsys.readouterr().out
        assert f"wrote {folders / 'nnUNet_raw' / NAME}" in output
        assert "protocol: MSD Task99 Phantom 5-fold, folds 0 to 4" in output
        assert "nnUNetv2_plan_and_preprocess -d 7" in output

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["btcv", "TASK", "-d", "7"], "has no folder Training; there are:"),
            (["isic", "ABSENT", "-d", "7"], "ABSENT does not exist"),
        ],
    )
    def test_a_mistake_is_one_sentence(
        self, task: Path, folders: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
    ) -> None:
        import re

        given = [str(task) if word == "TASK" else word for word in arguments]
        assert main(["convert", *given]) == 2
        output = capsys.readouterr().err
        assert re.search(message, output)
        assert output.startswith("skipx convert: ")
        assert list((folders / "nnUNet_raw").iterdir()) == []

    def test_synapse_does_not_run_without_a_label_map(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["convert", "synapse", "X", "-d", "7"])
        assert "--label-map" in capsys.readouterr().err

    @pytest.mark.parametrize("name", [name for name in CONVERTERS if name != "msd"])
    def test_fetch_tells_where_to_register(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fetch", name]) == 0
        output = capsys.readouterr().out
        assert "https://" in output
        assert f"skipx convert {name} FOLDER -d ID" in output

    def test_fetch_msd_wants_a_task(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fetch", "msd"]) == 2
        assert "give one of Task01_BrainTumour" in capsys.readouterr().err


class TestOverwriting:
    def test_a_data_set_is_only_replaced_on_request(
        self, task: Path, folders: Path, quick: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert convert(task) == 0
        raw, preprocessed = (folders / variable / NAME for variable in VARIABLES[:2])
        before = tree(raw)
        (raw / "mine.txt").touch()
        (preprocessed / "nnUNetPlans.json").touch()
        assert convert(task) == 2
        assert "--overwrite" in capsys.readouterr().err
        assert (raw / "mine.txt").exists()
        assert convert(task, "--overwrite") == 0
        assert tree(raw) == before
        assert [path.name for path in preprocessed.iterdir()] == ["splits_final.json"]
        assert [path.name for path in raw.parent.iterdir()] == [NAME]

    def test_results_of_the_old_data_are_never_left_beside_new_data(
        self, task: Path, folders: Path, quick: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folders / "nnUNet_results" / NAME / "nnUNetTrainer__nnUNetPlans__2d").mkdir(parents=True)
        for more in ((), ("--overwrite",)):
            assert convert(task, *more) == 2
            assert "holds results of the data set 7 as it was" in capsys.readouterr().err

    def test_an_id_of_another_data_set_is_refused_even_with_overwrite(
        self, task: Path, folders: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folders / "nnUNet_preprocessed" / "Dataset007_Liver").mkdir()
        assert convert(task, "--overwrite") == 2
        assert "id 7 is taken by" in capsys.readouterr().err


class TestInterruption:
    @pytest.mark.parametrize("moment", ["write_json", "publish"])
    def test_what_was_there_survives_a_failure(
        self,
        task: Path,
        folders: Path,
        quick: None,
        monkeypatch: pytest.MonkeyPatch,
        moment: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert convert(task) == 0
        before = tree(folders / "nnUNet_raw")

        def fail(*args: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(conversion, moment, fail)
        assert convert(task, "--overwrite") == 2
        assert "No space left on device): free some space" in capsys.readouterr().err
        assert tree(folders / "nnUNet_raw") == before

    @pytest.mark.slow
    def test_a_killed_conversion_leaves_no_data_set_and_the_next_one_starts_clean(
        self, folders: Path, tmp_path: Path, quick: None
    ) -> None:
        source = write_isic(tmp_path / "source", "2018", 300, 20)
        command = ["convert", "isic", str(source), "-d", "7", "-np", "1", "--allow-missing"]
        entry = "import sys; from nnunet_skipx.cli.main import main; sys.exit(main())"
        process = subprocess.Popen([sys.executable, "-c", entry, *command], stderr=subprocess.DEVNULL)
        raw = folders / "nnUNet_raw"
        wait_for(lambda: len(list(raw.glob(".converting_*/dataset/imagesTr/*"))) > 3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not list(raw.glob("Dataset*"))
        left = list(raw.glob(".converting_*/dataset/imagesTr/*"))
        assert 0 < len(left) < 300
        assert main(command) == 0
        assert [path.name for path in raw.iterdir()] == ["Dataset007_ISIC2018"]
        assert len(list((raw / "Dataset007_ISIC2018" / "imagesTr").iterdir())) == 320

    def test_two_conversions_to_one_place_are_refused(
        self, task: Path, folders: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        staging = folders / "nnUNet_raw" / f".converting_{NAME}"
        staging.mkdir()
        with FileLock(staging / ".lock"):
            assert convert(task) == 2
        assert "is being converted by another process" in capsys.readouterr().err

    def test_an_unreadable_source_file_is_not_blamed_on_the_destination(
        self,
        task: Path,
        folders: Path,
        quick: None,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        source = Path(shutil.copytree(task, tmp_path / "copy" / task.name))

        def deny(path: Path) -> str:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(conversion, "sha256_of", deny)
        assert convert(source) == 2
        output = capsys.readouterr().err
        assert "Permission denied" in output
        assert str(source) in output
        assert "free some space" not in output


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


class TestParallel:
    @pytest.mark.parametrize("processes", [1, 2])
    def test_results_come_in_the_order_of_the_items(self, processes: int) -> None:
        assert in_parallel(functools.partial(pow, 2), list(range(12)), processes, "x") == [2**n for n in range(12)]

    def test_the_first_error_ends_it(self) -> None:
        with pytest.raises(ValueError, match="invalid literal"):
            in_parallel(int, ["1", "x", *map(str, range(100))], 2, "x")

    def test_a_killed_worker_is_explained(self) -> None:
        with pytest.raises(RuntimeError, match=r"a worker process was killed.*-np 1"):
            in_parallel(os._exit, [1, 1], 2, "x")


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(
        "import time\nfrom nnunet_skipx.datasets.parallel import in_parallel\n"
        "if __name__ == '__main__':\n    in_parallel(time.sleep, [1000] * 2, 2, 'x')\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(session(process.pid)) >= 4)  # with multiprocessing's resource tracker
    time.sleep(1)
    process.kill()
    process.wait()
    wait_for(lambda: session(process.pid) == [], 20)


def session(number: int) -> list[str]:
    """The processes of a session."""
    members = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            members += [path.name] if os.getsid(int(path.name)) == number else []
    return members


@pytest.mark.slow
def test_processes_make_no_difference(folders: Path, tmp_path: Path) -> None:
    source = write_isic(tmp_path / "source", "2016", 6, 3)
    for number, processes in ((7, "1"), (8, "2")):
        command = ["convert", "isic", str(source), "-d", str(number), "--allow-missing", "-np", processes]
        assert main(command) == 0
    first, second = (tree(path) for path in sorted((folders / "nnUNet_raw").iterdir()))
    assert first == second
    assert json.loads(first["provenance.json"])["options"] == {"allow_missing": True}
