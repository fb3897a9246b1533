"""Extracted models are ordinary ones and predict the same bits; a new domain leaves the old ones' bits alone."""

import io
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.model_sharing.model_export import export_pretrained_model
from nnunetv2.run.run_training import maybe_load_checkpoint
from nnunetv2.training.logging.nnunet_logger import LocalLogger
from torch import nn

from nnunet_skipx.nnunet.checkpoints import read_checkpoint as load
from nnunet_skipx.nnunet.names import ModelName
from nnunet_skipx.nnunet.network_classes import UnknownNetworkError
from nnunet_skipx.system.files import write_json
from nnunet_skipx.universal.add_domain import adaptation, add_domain
from nnunet_skipx.universal.beside import write_training
from nnunet_skipx.universal.checkpoint import ADAPTED, FINAL, deepest, domain_network, domains_alone
from nnunet_skipx.universal.create import create_run
from nnunet_skipx.universal.extract import extract
from nnunet_skipx.universal.sharing import shared_parameters
from tests.universal.conftest import Make
from tests.universal.runs import DEEP, SHALLOW, UNIVERSAL, make_run, make_trainer, train, weights

pytestmark = pytest.mark.slow  # runs are trained

IMAGES = {11: (1, 1, 8, 16, 16), 12: (1, 3, 8, 32, 32), 21: (1, 2, 8, 16, 16)}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """nnU-Net draws for a second or two after every epoch."""
    monkeypatch.setattr(
        "nnunetv2.training.logging.nnunet_logger.LocalLogger.plot_progress_png",
        lambda _, folder: Path(folder, "progress.png").write_bytes(b"drawn"),
    )


@pytest.fixture
def run(make_domain: Make) -> Path:
    return make_run(make_domain)


def stored(run: Path, name: str = FINAL, trainer: str = f"{UNIVERSAL}_demo_2epochs") -> Path:
    """A checkpoint of the run's fold 0."""
    return run.parents[1] / "nnUNet_results" / run.name / f"{trainer}__nnUNetPlans__test" / "fold_0" / name


def logits(network: nn.Module, domain: int) -> torch.Tensor:
    torch.manual_seed(domain)
    with torch.no_grad():
        return network.eval()(torch.randn(IMAGES[domain]))


def new_domain(run: Path, make_domain: Make, name: str = "nnUNetTrainerU2Net_adapt500_demo_1epochs") -> Any:
    """Data set 21 trained on the shared weights of run 500."""
    folder = make_domain(21, SHALLOW, classes=4, channels=2)
    return train(folder, name)


@pytest.mark.parametrize("option", ["", "_series", "_source"])
def test_extracted_models_predict_the_universal_models_bits_through_nnunets_predictor(run: Path, option: str) -> None:
    trainer = train(run, f"{UNIVERSAL}{option}_demo_1epochs")
    folders = extract(500)
    assert len(folders) == 2
    for number, part, folder in zip((11, 12), trainer.parts, folders, strict=True):
        assert folder == Path(part.output_folder)
        predictor = nnUNetPredictor(device=torch.device("cpu"))
        predictor.initialize_from_trained_model_folder(str(folder.parent), (0,))
        part.bare_network.decoder.deep_supervision = False
        assert torch.equal(logits(predictor.network, number), logits(part.bare_network, number))
        assert predictor.trainer_name == f"nnUNetTrainerU2Net{option}_demo_1epochs_from500"
        assert {"plans.json", "dataset.json", "dataset_fingerprint.json"} <= {p.name for p in folder.parent.iterdir()}


@pytest.mark.slow
def test_nnunet_validates_an_extracted_model_with_its_own_trainer(run: Path) -> None:
    trainer = train(run)
    extract(500)
    alone = make_trainer(run.parent / "Dataset012_Made", "nnUNetTrainerU2Net_demo_2epochs_from500")
    maybe_load_checkpoint(alone, continue_training=False, validation_only=True)
    assert torch.equal(logits(alone.network, 12)[0], logits(trainer.parts[1].network, 12)[0])
    assert alone.logger.get_value("ema_fg_dice", None) == trainer.parts[1].logger.get_value("ema_fg_dice", None)


def test_a_checkpoint_is_enough_to_extract(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    train(run)
    elsewhere = tmp_path / "elsewhere" / run.name
    elsewhere.parent.mkdir()
    stored(run).parents[2].rename(elsewhere)
    monkeypatch.setenv("nnUNet_results", str(elsewhere.parent))
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "empty"))
    for folder in extract(500, [0], f"{UNIVERSAL}_demo_2epochs"):
        predictor = nnUNetPredictor(device=torch.device("cpu"))
        predictor.initialize_from_trained_model_folder(str(folder.parent), (0,))


@pytest.mark.slow
def test_what_nnunet_exports_is_there_on_another_machine(
    run: Path, make_domain: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in (11, 12):
        fingerprint = run.parent / f"Dataset{number:03d}_Made" / "dataset_fingerprint.json"
        fingerprint.write_text(json.dumps({"spacings": [[number]]}))
    train(run)
    summaries = {f"Dataset{n:03d}_Made": {"foreground_mean": {"Dice": float("nan")}, "of": n} for n in (11, 12)}
    (stored(run).parent / "validation").mkdir()
    write_json(stored(run).parent / "validation" / "summary.json", {"summaries": summaries})
    trainer = new_domain(run, make_domain)
    own = Path(trainer.output_folder)
    write_json(own.parent / "dataset_fingerprint.json", {"spacings": [[21]]})
    (own / "validation").mkdir()
    write_json(own / "validation" / "summary.json", {"of": 21})
    add_domain(stored(run), own / FINAL)

    elsewhere = tmp_path / "elsewhere" / run.name
    elsewhere.parent.mkdir()
    shutil.copytree(stored(run).parents[2], elsewhere)
    for name in ("nnUNet_raw", "nnUNet_preprocessed"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    monkeypatch.setenv("nnUNet_results", str(elsewhere.parent))
    folders = extract(500)
    assert len(folders) == 3
    for number, folder in zip((11, 12, 21), folders, strict=True):
        archive = tmp_path / f"{number}.zip"
        trainer_name, plans, configuration = ModelName.of(folder.parent)
        export_pretrained_model(
            folder.parents[1].name, str(archive), (configuration,), trainer_name, plans, folds=(0,), strict=True
        )
        with zipfile.ZipFile(archive) as content:
            read = {Path(name).name: content.read(name) for name in content.namelist()}
        assert json.loads(read["dataset_fingerprint.json"]) == {"spacings": [[number]]}
        assert json.loads(read["summary.json"])["of"] == number
        assert read["progress.png"] == b"drawn" and read[FINAL]


def test_the_picture_of_a_training_is_drawn_from_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    log = {key: [0.5, 0.75] for key in LocalLogger().my_fantastic_logging}
    write_training(log, {}, tmp_path)
    picture = tmp_path / "progress.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    picture.write_bytes(b"the training's own")
    write_training(log, {}, tmp_path)
    assert picture.read_bytes() == b"the training's own"
    assert list(tmp_path.iterdir()) == [picture]


def test_domains_are_extracted_by_one_process_at_a_time_and_what_a_killed_one_left_goes(run: Path) -> None:
    train(run)
    target = extract(500)[0]
    draft = target / f".{FINAL}.12345.draft"
    draft.write_bytes(b"half")
    with (
        domains_alone(stored(run).parents[1]),
        pytest.raises(ValueError, match=r"another process extracts or adds domains of .*wait until it has ended"),
    ):
        extract(500)
    assert draft.exists(), "it could be the other process's"
    extract(500)
    assert not draft.exists()


def test_what_cannot_be_extracted_is_named(run: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no results Dataset500_.*train the run first"):
        extract(500)
    train(run)
    with pytest.raises(FileNotFoundError, match=r"fold_3 has no checkpoint_final.pth"):
        extract(500, [3])
    with pytest.raises(FileNotFoundError, match=f"no fold trained by {UNIVERSAL}_full, but: {UNIVERSAL}_demo"):
        extract(500, trainer=f"{UNIVERSAL}_full")


def test_a_new_domain_trains_its_own_weights_only(run: Path, make_domain: Make) -> None:
    train(run)
    trainer = new_domain(run, make_domain)
    shared = shared_parameters(trainer.bare_network)
    assert not any(p.requires_grad or p in trainer.optimizer.state for p in shared)
    assert all(p.grad is None for p in shared)
    own = {id(p) for p in trainer.bare_network.parameters()} - {id(p) for p in shared}
    assert {id(p) for group in trainer.optimizer.param_groups for p in group["params"]} == own
    run_network = domain_network(load(stored(run)), "Dataset012_Made")
    ours = {name: p for name, p in trainer.bare_network.named_parameters() if id(p) not in own}
    for name, parameter in ours.items():
        if name.startswith("encoder"):
            assert torch.equal(parameter, run_network.get_parameter(name))
    trained = re.search(r"training (\d+) of (\d+) parameters", Path(trainer.log_file).read_text())
    assert trained and int(trained[1]) == sum(p.numel() for p in trainer.bare_network.parameters() if p.requires_grad)


@pytest.mark.slow
def test_an_interrupted_adaptation_goes_on(run: Path, make_domain: Make) -> None:
    train(run)
    whole = weights(new_domain(run, make_domain, "nnUNetTrainerU2Net_adapt500_demo_2epochs"))
    folder = run.parent / "Dataset021_Made"
    (folder.parents[1] / "nnUNet_results" / "Dataset021_Made").rename(folder.parents[1] / "kept")
    killed = make_trainer(folder, "nnUNetTrainerU2Net_adapt500_demo_2epochs")
    end = killed.on_epoch_end
    killed.on_epoch_end = lambda: (end(), (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        killed.run_training()
    resumed = make_trainer(folder, "nnUNetTrainerU2Net_adapt500_demo_2epochs", resumed=True)
    maybe_load_checkpoint(resumed, continue_training=True, validation_only=False)
    resumed.run_training()
    assert all(torch.equal(value, weights(resumed)[name]) for name, value in whole.items())


@pytest.mark.slow
def test_the_old_domains_logits_keep_every_bit_when_domains_are_added(run: Path, make_domain: Make) -> None:
    train(run)
    before = {n: logits(domain_network(load(stored(run)), f"Dataset{n:03d}_Made"), n) for n in (11, 12)}
    final = stored(run).read_bytes()
    adapted = new_domain(run, make_domain)
    target = add_domain(stored(run), Path(adapted.output_folder) / FINAL)
    assert target == stored(run, ADAPTED)
    checkpoint = load(target)
    assert list(checkpoint["init_args"]["domains"]) == ["Dataset011_Made", "Dataset012_Made", "Dataset021_Made"]
    for number, expected in before.items():
        assert torch.equal(logits(domain_network(checkpoint, f"Dataset{number:03d}_Made"), number), expected)
    adapted.set_deep_supervision_enabled(False)
    assert torch.equal(logits(domain_network(checkpoint, "Dataset021_Made"), 21), logits(adapted.network, 21))
    assert stored(run).read_bytes() == final


@pytest.mark.slow
def test_a_trained_domain_is_left_alone_and_one_that_is_missing_is_written_as_it_was_trained(
    run: Path, make_domain: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    train(run)
    trainer = new_domain(run, make_domain)
    own = Path(trainer.output_folder) / FINAL
    add_domain(stored(run), own)
    before = own.read_bytes()
    assert len(extract(500)) == 2
    assert own.read_bytes() == before and f"left {own.parent} as it is" in capsys.readouterr().out
    own.unlink()
    assert len(extract(500)) == 3
    again = make_trainer(run.parent / "Dataset021_Made", type(trainer).__name__, resumed=True)
    maybe_load_checkpoint(again, continue_training=True, validation_only=False)
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(trainer).items())


def test_data_sets_whose_ids_begin_alike_stay_apart(make_domain: Make) -> None:
    for number in (1235, 1237):
        make_domain(number, SHALLOW)
    run = create_run(["1235", "1237"], 1500, configurations=["test"])
    trainer = train(run, f"{UNIVERSAL}_demo_1epochs")
    assert list(trainer.network) == ["Dataset1235_Made", "Dataset1237_Made"]
    optimised = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
    assert all(id(p) in optimised for part in trainer.parts for p in part.bare_network.parameters())
    first, second = (load(folder / FINAL)["network_weights"] for folder in extract(1500))
    assert any(not torch.equal(value, second[name]) for name, value in first.items())
    for part, extracted in zip(trainer.parts, (first, second), strict=True):
        assert all(torch.equal(value, extracted[name]) for name, value in part.bare_network.state_dict().items())


@pytest.mark.parametrize("name", ["../../escaped", "..", "/tmp/escaped", "a/b", "", "a\x1b[2Jb", 3])
@pytest.mark.parametrize("what", ["a data set", "a trainer", "a plan's data set"])
def test_no_name_in_a_checkpoint_leads_out_of_the_results(run: Path, name: object, what: str) -> None:
    """The checkpoint of another run, as somebody could have edited it; nothing is trained for it."""
    domain = {
        "plans": json.loads((run.parent / "Dataset011_Made" / "nnUNetPlans.json").read_text()),
        "dataset_json": json.loads((run.parent / "Dataset011_Made" / "dataset.json").read_text()),
        "trainer": "nnUNetTrainerU2Net_from500",
    }
    if what == "a trainer":
        domain["trainer"] = name
    if what == "a plan's data set":
        domain["plans"]["dataset_name"] = name
    content = {
        "init_args": {
            "domains": {name if what == "a data set" else "Dataset011_Made": domain},
            "configuration": "test",
        },
        "network_weights": {},
        "logging": {"domains": {}},
        "inference_allowed_mirroring_axes": {},
    }
    stored(run).parent.mkdir(parents=True)
    torch.save(content, stored(run))
    before = sorted(run.parents[1].rglob("*"))
    with pytest.raises(ValueError, match=r"checkpoint_final\.pth is no checkpoint of a universal run .*expected a"):
        extract(500)
    assert [path for path in sorted(run.parents[1].rglob("*")) if path.name != "domains.lock"] == before


def test_a_checkpoint_with_a_strange_network_is_refused(run: Path) -> None:
    train(run, f"{UNIVERSAL}_demo_1epochs")
    path = stored(run, trainer=f"{UNIVERSAL}_demo_1epochs")
    content = load(path)
    plans = content["init_args"]["domains"]["Dataset011_Made"]["plans"]
    plans["configurations"]["test"]["architecture"]["network_class_name"] = "torch.hub.load"
    torch.save(content, path)
    with pytest.raises(UnknownNetworkError, match=r"torch\.hub\.load"):
        extract(500)


@pytest.mark.slow
def test_an_added_domain_costs_its_own_weights_on_the_disk(run: Path, make_domain: Make) -> None:
    train(run)
    trainer = new_domain(run, make_domain)
    target = add_domain(stored(run), Path(trainer.output_folder) / FINAL)
    shared = {p.data_ptr() for p in shared_parameters(trainer.bare_network)}
    own = sum(p.numel() * 4 for p in trainer.bare_network.parameters() if p.data_ptr() not in shared)
    added = storage(load(target)["network_weights"]) - storage(load(stored(run))["network_weights"])
    assert added == own


def test_adding_a_domain_of_another_training_is_refused(run: Path, make_domain: Make) -> None:
    train(run)
    trainer = new_domain(run, make_domain)
    checkpoint = load(Path(trainer.output_folder) / FINAL)
    checkpoint["network_weights"]["encoder.stages.0.0.first.pointwise.weight"] += 1
    torch.save(checkpoint, Path(trainer.output_folder) / FINAL)
    with pytest.raises(ValueError, match=r"encoder\.stages\.0\.0\.first.*the run was trained again"):
        add_domain(stored(run), Path(trainer.output_folder) / FINAL)
    assert not stored(run, ADAPTED).exists()


def test_a_domain_with_more_stages_than_the_run_is_refused(make_domain: Make) -> None:
    run = make_run(make_domain, domains=(11, 13))
    train(run)
    folder = make_domain(21, DEEP)
    with pytest.raises(ValueError, match="Dataset021_Made has 4 stages, the universal run 3"):
        make_trainer(folder, "nnUNetTrainerU2Net_adapt500_demo_2epochs")


@pytest.mark.slow
def test_the_run_to_adapt_to_is_the_one_with_the_same_convolutions(run: Path, make_domain: Make) -> None:
    make_domain(21, SHALLOW)
    folder = run.parent / "Dataset021_Made"
    with pytest.raises(FileNotFoundError, match="train the run first"):
        make_trainer(folder, "nnUNetTrainerU2Net_adapt500")
    train(run, f"{UNIVERSAL}_full_demo_1epochs")
    with pytest.raises(FileNotFoundError, match=r"fold 0 of universal run 500 .* has not finished with networks"):
        make_trainer(folder, "nnUNetTrainerU2Net_adapt500")
    assert make_trainer(folder, "nnUNetTrainerU2Net_full_adapt500_7epochs").source == stored(
        run, trainer=f"{UNIVERSAL}_full_demo_1epochs"
    )
    for name in ("demo_1epochs", "demo_2epochs"):
        train(run, f"{UNIVERSAL}_{name}")
    assert make_trainer(folder, "nnUNetTrainerU2Net_demo_2epochs_adapt500").source == stored(run)
    with pytest.raises(ValueError, match="could continue several trainings"):
        make_trainer(folder, "nnUNetTrainerU2Net_adapt500")


@pytest.mark.slow
def test_what_cannot_be_adapted_is_named_before_anything_is_trained(run: Path) -> None:
    train(run)
    with pytest.raises(ValueError, match="Dataset011_Made is a domain of the universal run 500 already"):
        adaptation(500, "11", 0, "test", "nnUNetPlans", None)
    with pytest.raises(FileNotFoundError, match=r"fold_1.* does not exist: train this fold"):
        adaptation(500, "11", 1, "test", "nnUNetPlans", None)
    train(run, f"{UNIVERSAL}_demo_1epochs")
    with pytest.raises(ValueError, match="name one of them with -tr"):
        adaptation(500, "11", 0, "test", "nnUNetPlans", None)


def test_damaged_files_are_named(run: Path) -> None:
    train(run)
    stored(run).write_bytes(stored(run).read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"checkpoint_final\.pth cannot be read .*train its fold with --c"):
        extract(500)
    (run / "domains.json").write_text('{"dataset": "Dataset5')
    with pytest.raises(ValueError, match=r"domains\.json is not valid JSON .*have a copy"):
        make_trainer(run, UNIVERSAL)


def storage(tensors: dict[str, torch.Tensor]) -> int:
    """Bytes of the tensors, each storage once."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors.values()}.values())


@pytest.mark.slow
def test_five_domains_are_stored_as_the_shared_weights_and_five_adapters(make_domain: Make) -> None:
    run = make_run(make_domain, domains=(11, 12, 13, 14, 15), feature_scale=8)
    trainer = make_trainer(run, f"{UNIVERSAL}_demo_1epochs")
    trainer.num_iterations_per_epoch = 1
    trainer.run_training()
    checkpoint = load(stored(run, trainer=f"{UNIVERSAL}_demo_1epochs"))
    unique = {id(p): p.numel() * 4 for part in trainer.parts for p in part.bare_network.parameters()}
    content = io.BytesIO()
    torch.save(checkpoint["network_weights"], content)
    assert len(content.getvalue()) <= 1.2 * sum(unique.values())
    moments = 2  # AdamW's, as large as the weights each
    whole = stored(run, trainer=f"{UNIVERSAL}_demo_1epochs").stat().st_size
    assert whole <= 1.2 * (1 + moments) * sum(unique.values())
    assert deepest(checkpoint) in ("Dataset012_Made", "Dataset014_Made")
    json.dumps(checkpoint["init_args"]["domains"])
