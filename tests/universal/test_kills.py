"""`skipx universal` killed at its changes of the disk: nothing is lost, and the next call leaves no trace of it."""

import shutil
from pathlib import Path

import pytest
import torch

from nnunet_skipx.cli.main import main
from nnunet_skipx.nnunet.checkpoints import read_checkpoint
from nnunet_skipx.universal.checkpoint import FINAL
from nnunet_skipx.universal.run import read_run
from tests.forking.fixture import ForkServer
from tests.forking.killing import hidden, moments, run_until
from tests.universal.conftest import Make
from tests.universal.runs import SHALLOW, UNIVERSAL, make_run, train

pytestmark = pytest.mark.slow


def test_create(make_domain: Make, forks: ForkServer) -> None:
    for number in (11, 12):
        make_domain(number, SHALLOW)
    preprocessed = make_domain(13, SHALLOW).parent
    words = ("universal", "create", "-d", 11, 12, "--id", 500, "-c", "test")
    run = preprocessed / "Dataset500_Universal"
    for moment in moments(forks, preprocessed, *words):
        shutil.rmtree(run)
        assert run_until(forks, preprocessed, moment, *words).returncode == -9
        published = run.exists()
        if published:
            assert read_run(run.name).domains("test") and len(list(run.iterdir())) == 3
        assert main(list(map(str, words))) == (2 if published else 0)
        assert read_run(run.name).domains("test") and not hidden(preprocessed), moment


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
    for moment in moments(forks, results, "universal", "extract", "-d", 500):
        if moment % 2:  # else over what was extracted before
            for target in targets:
                target.unlink(missing_ok=True)
        assert run_until(forks, results, moment, "universal", "extract", "-d", 500).returncode == -9
        assert saved.read_bytes() == content
        for target in targets:
            assert not target.exists() or read_checkpoint(target)
        assert main(["universal", "extract", "-d", "500"]) == 0
        assert not hidden(results), moment
        for part, target in zip(trainer.parts, targets, strict=True):
            weights = read_checkpoint(target)["network_weights"]
            assert all(torch.equal(value, weights[key]) for key, value in part.bare_network.state_dict().items())
