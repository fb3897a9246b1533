"""`skipx universal` on a disk that fills up: what was there stays, and with space the same command does its work."""

import shutil
from pathlib import Path

import pytest

from nnunet_skipx.cli.main import main
from nnunet_skipx.nnunet.checkpoints import read_checkpoint
from nnunet_skipx.universal.checkpoint import FINAL
from tests.forking.fixture import ForkServer
from tests.forking.small_disk import filled_up, small_disk
from tests.universal.conftest import Make
from tests.universal.runs import SHALLOW, UNIVERSAL, make_run, train

pytestmark = pytest.mark.slow


def test_create(make_domain: Make, forks: ForkServer, tmp_path: Path) -> None:
    aside = tmp_path / "nnUNet_preprocessed"
    for number in (11, 12):
        make_domain(number, SHALLOW)
    kept = aside.rename(tmp_path / "kept")
    aside.mkdir()
    run = aside / "Dataset500_Universal"
    with small_disk(aside) as disk:
        shutil.copytree(kept, aside, dirs_exist_ok=True)
        words = ("universal", "create", "-d", 11, 12, "--id", 500, "-c", "test")

        def nothing_is_lost() -> None:
            assert not run.exists()

        filled_up(
            disk,
            lambda: forks.run("skipx", *words, check=False),
            lambda: shutil.rmtree(run, ignore_errors=True),
            nothing_is_lost,
        )


def test_extract(make_domain: Make, forks: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "nnunetv2.training.logging.nnunet_logger.LocalLogger.plot_progress_png",
        lambda _, folder: Path(folder, "progress.png").write_bytes(b"drawn"),
    )
    run = make_run(make_domain)
    trainer = train(run, f"{UNIVERSAL}_demo_1epochs")
    results = tmp_path / "nnUNet_results"
    saved = next(results.glob(f"{run.name}/*/fold_0/{FINAL}"))
    content = saved.read_bytes()
    targets = [Path(part.output_folder) / FINAL for part in trainer.parts]
    assert main(["universal", "extract", "-d", "500"]) == 0  # the first call makes folders
    kept = results.rename(tmp_path / "kept")
    results.mkdir()
    with small_disk(results) as disk:
        shutil.copytree(kept, results, dirs_exist_ok=True)

        def start() -> None:
            for target in targets:
                target.unlink(missing_ok=True)

        def nothing_is_lost() -> None:
            assert saved.read_bytes() == content
            for target in targets:
                assert not target.exists() or read_checkpoint(target)

        start()
        filled_up(
            disk, lambda: forks.run("skipx", "universal", "extract", "-d", 500, check=False), start, nothing_is_lost
        )
