"""The universal trainer: one domain per iteration, each with its own plan, loss and log; resumed runs end the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batchgenerators.utilities.file_and_folder_operations import load_pickle, save_pickle
from nnunetv2.run.run_training import maybe_load_checkpoint

from nnunet_skipx.training.variants import trainer_class
from nnunet_skipx.universal.create import create_run
from nnunet_skipx.universal.sharing import shared_parameters
from tests.plan_shapes import SHAPES
from tests.universal.conftest import Make
from tests.universal.runs import ITERATIONS, SHALLOW, UNIVERSAL, make_run, make_trainer, train, weights


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """nnU-Net draws for a second or two after every epoch."""
    monkeypatch.setattr("nnunetv2.training.logging.nnunet_logger.LocalLogger.plot_progress_png", lambda *_: None)


@pytest.fixture
def run(make_domain: Make) -> Path:
    return make_run(make_domain)


def test_an_epoch_takes_the_domains_in_turn_with_their_own_data_and_losses(run: Path) -> None:
    trainer = make_trainer(run, f"{UNIVERSAL}_demo_1epochs")
    seen: list[tuple[int, tuple[int, ...], int]] = []
    step = trainer.train_step

    def watching(batch: dict) -> dict:
        seen.append((batch["domain"], tuple(batch["data"].shape[1:]), len(batch["target"])))
        return step(batch)

    trainer.train_step = watching
    trainer.run_training()
    assert seen == [(0, (1, 8, 16, 16), 2), (1, (3, 8, 32, 32), 3)] * ITERATIONS
    assert [part.loss is not trainer.parts[0].loss for part in trainer.parts] == [False, True]
    assert [part.batch_size for part in trainer.parts] == [2, 2]


def test_a_step_changes_the_domains_own_and_the_shared_weights_only(run: Path) -> None:
    trainer = make_trainer(run, f"{UNIVERSAL}_demo_1epochs")
    trainer.on_train_start()
    trainer.on_epoch_start()
    trainer.on_train_epoch_start()
    before = weights(trainer)
    trainer.train_step(next(trainer.dataloader_train))
    changed = {name for name, value in trainer.network.state_dict().items() if not torch.equal(value, before[name])}
    shared = {id(p) for p in shared_parameters(trainer.parts[0].bare_network)}
    of_second = {name for name, p in trainer.network["Dataset012_Made"].named_parameters() if id(p) in shared}
    assert {name for name in changed if name.startswith("Dataset012_Made.")} <= {
        f"Dataset012_Made.{name}" for name in of_second
    }
    assert any(".pointwise.weight" in name for name in changed)
    assert any("stem" in name for name in changed)
    kept = {id(p) for p in trainer.optimizer.state}
    unused_head = trainer.parts[0].bare_network.decoder.seg_layers[0]  # nnU-Net gives the coarsest logits no weight
    in_use = {id(p) for p in trainer.parts[0].bare_network.parameters()} - {id(p) for p in unused_head.parameters()}
    assert kept == in_use, "no optimiser state of absent domains"


def test_every_domain_is_tried_before_the_first_ones_workers_start(run: Path) -> None:
    trainer = make_trainer(run, f"{UNIVERSAL}_demo_1epochs")
    trainer.initialize()
    order: list[str] = []
    for part in trainer.parts:
        part.network.register_forward_hook(lambda *unused: order.append("step"))
        part.get_dataloaders = noting(part.get_dataloaders, order)
    trainer.on_train_start()
    assert order == ["step", "step", "workers", "workers"]


def noting(get_dataloaders: Callable, order: list[str]) -> Callable:
    def noted() -> Any:
        order.append("workers")
        return get_dataloaders()

    return noted


def test_every_domain_has_nnunets_log_in_its_own_results_and_a_line_in_the_runs(run: Path) -> None:
    trainer = train(run)
    log = Path(trainer.log_file).read_text()
    assert "Iterations per epoch (round_robin): Dataset011_Made 3, Dataset012_Made 3" in log
    for number, part in zip((11, 12), trainer.parts, strict=True):
        assert log.count(f"Dataset{number:03d}_Made: train_loss") == 2
        folder = run.parents[1] / "nnUNet_results" / f"Dataset{number:03d}_Made"
        assert Path(part.output_folder) == (
            folder / "nnUNetTrainerU2Net_demo_2epochs_from500__nnUNetPlans__test" / "fold_0"
        )
        assert Path(part.log_file).read_text().count("Pseudo dice") == 2
        assert len(part.logger.get_value("ema_fg_dice", None)) == 2
    spent = [seconds_of(part.logger) for part in trainer.parts]
    assert 0 < sum(spent) <= seconds_of(trainer.logger), "an epoch's time is shared out among the domains"
    means = [part.logger.get_value("mean_fg_dice", -1) for part in trainer.parts]
    assert trainer.logger.get_value("mean_fg_dice", -1) == pytest.approx(sum(means) / 2)
    assert len(trainer.logger.get_value("dice_per_class_or_region", -1)) == 2 + 1


def seconds_of(logger: Any) -> float:
    """Of the last epoch."""
    return logger.get_value("epoch_end_timestamps", -1) - logger.get_value("epoch_start_timestamps", -1)


@pytest.mark.parametrize("mode", ["", "_gpuaug_elastic"])
@pytest.mark.slow
def test_a_killed_run_that_is_resumed_ends_with_the_same_weights(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str
) -> None:
    name = f"{UNIVERSAL}_demo_3epochs{mode}"
    whole = train(run, name)
    monkeypatch.setenv("nnUNet_results", str(tmp_path / "other_results"))
    killed, steps = make_trainer(run, name), []
    step = killed.train_step

    def dying(batch: dict) -> dict:
        steps.append(batch["domain"])
        if len(steps) == 2 * ITERATIONS + 3:  # within the cycle of the second epoch
            raise KeyboardInterrupt
        return step(batch)

    killed.train_step = dying
    with pytest.raises(KeyboardInterrupt):
        killed.run_training()
    resumed = make_trainer(run, name, resumed=True)
    maybe_load_checkpoint(resumed, continue_training=True, validation_only=False)
    assert resumed.current_epoch == 1
    resumed.run_training()
    assert all(torch.equal(value, weights(resumed)[key]) for key, value in weights(whole).items())
    ours, theirs = (t.logger.local_logger.domains["Dataset012_Made"].my_fantastic_logging for t in (whole, resumed))
    assert ours["mean_fg_dice"] == theirs["mean_fg_dice"]


def test_proportional_sampling_reaches_the_epoch(make_domain: Make) -> None:
    run = make_run(make_domain, sampling="proportional")
    splits = [{"train": ["a"], "val": ["c"]}]
    (run.parent / "Dataset011_Made" / "splits_final.json").write_text(json.dumps(splits))
    trainer = make_trainer(run, f"{UNIVERSAL}_demo_1epochs")
    trainer.num_iterations_per_epoch = 7
    trainer.on_train_start()
    assert trainer.num_iterations_per_epoch == 14
    domains = [next(trainer.dataloader_train)["domain"] for _ in range(14)]
    assert domains.count(1) == 9


@pytest.mark.parametrize("change", ["plans", "dataset.json", "preprocessed cases", "deleted"])
def test_a_domain_that_changed_since_create_is_refused_by_name(run: Path, change: str) -> None:
    domain = run.parent / "Dataset012_Made"
    case = domain / "nnUNetPlans_test" / "b.b2nd"
    if change == "plans":
        path = domain / "nnUNetPlans.json"
        path.write_text(path.read_text().replace('"batch_size": 2', '"batch_size": 3'))
    elif change == "dataset.json":
        path = domain / "dataset.json"
        path.write_text(path.read_text().replace("class1", "other"))
    elif change == "preprocessed cases":
        content = bytearray(case.read_bytes())
        content[len(content) // 2] ^= 1  # one bit, the same size
        case.write_bytes(content)
    else:
        case.unlink()
        change = "preprocessed cases"
    with pytest.raises(ValueError, match=f"^{change} of Dataset012_Made .* changed since Dataset500_Universal"):
        make_trainer(run, UNIVERSAL)


def test_a_universal_trainer_needs_a_universal_run(run: Path) -> None:
    with pytest.raises(ValueError, match=r"Dataset011_Made is an ordinary data set.*skipx universal create"):
        make_trainer(run.parent / "Dataset011_Made", UNIVERSAL)


def test_a_part_is_not_trained_alone(run: Path) -> None:
    part = make_trainer(run.parent / "Dataset011_Made", "nnUNetTrainerU2Net_from500")
    with pytest.raises(RuntimeError, match=r"domain of the universal run 500.*nnUNetv2_train 500"):
        part.run_training()


def test_predicting_with_the_run_itself_says_what_to_do(run: Path) -> None:
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(json.loads((run / "nnUNetPlans.json").read_text()))
    with pytest.raises(ValueError, match=r"skipx universal extract -d 500.*-tr nnUNetTrainerU2Net_from500"):
        trainer_class(UNIVERSAL).build_network_architecture(manager, manager.get_configuration("test"), 1, 1, False)


@pytest.mark.parametrize("option", ["source", "full", "series", "parallel"])
def test_the_modes_of_the_comparison_train_and_share_full_convolutions(run: Path, option: str) -> None:
    trainer = train(run, f"{UNIVERSAL}_{option}_demo_1epochs")
    kinds = {kind for part in trainer.parts for kind in part.architecture_kwargs.values()}
    assert kinds == {option}
    shared = {id(p) for p in shared_parameters(trainer.parts[0].bare_network)}
    names = {name.split(".")[-2] for name, p in trainer.parts[0].bare_network.named_parameters() if id(p) in shared}
    assert names == ({"pointwise", "conv"} if option == "source" else {"conv"})
    kernels = trainer.parts[1].configuration_manager.network_arch_init_kwargs["kernel_sizes"]
    assert kernels[0] == [3, 3, 3], "anisotropic by plan, but one full kernel serves both"


@pytest.mark.parametrize("suffix", ["bf16_demo", "adamw_1epochs", "1epochs"])
def test_the_general_options_work(run: Path, suffix: str) -> None:
    trainer = train(run, f"{UNIVERSAL}_{suffix}" if "epochs" in suffix else f"{UNIVERSAL}_{suffix}_1epochs")
    assert type(trainer.parts[0]).__name__.startswith("nnUNetTrainerU2Net_")
    assert trainer.optimizer is trainer.parts[1].optimizer


def test_features_are_scaled_in_every_domain(make_domain: Make) -> None:
    run = make_run(make_domain, feature_scale=0.5)
    trainer = make_trainer(run, UNIVERSAL)
    trainer.initialize()
    assert trainer.parts[1].bare_network.encoder.output_channels == [2, 4, 8, 16]
    assert trainer.parts[0].bare_network.encoder.output_channels == [2, 4, 8]


def test_regions_and_an_ignore_label_stay_with_their_domain(make_domain: Make) -> None:
    for number, labels in ((16, {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}), (17, None)):
        folder = make_domain(number, SHALLOW, classes=3)
        if labels:
            content = json.loads((folder / "dataset.json").read_text())
            content |= {"labels": labels, "regions_class_order": [1, 2]}
            (folder / "dataset.json").write_text(json.dumps(content))
            locate_annotated_voxels(folder / "nnUNetPlans_test")
    run = create_run(["16", "17"], 500, configurations=["test"])
    trainer = train(run, f"{UNIVERSAL}_demo_1epochs")
    assert [part.label_manager.has_regions for part in trainer.parts] == [True, False]
    assert [part.bare_network.decoder.seg_layers[0].out_channels for part in trainer.parts] == [2, 3]
    assert [len(part.logger.get_value("dice_per_class_or_region", -1)) for part in trainer.parts] == [2, 2]


def locate_annotated_voxels(folder: Path) -> None:
    """With an ignore label nnU-Net's preprocessing also lists voxels that have any other label."""
    for path in folder.glob("*.pkl"):
        properties = load_pickle(str(path))
        everywhere = np.concatenate(list(properties["class_locations"].values()))
        properties["class_locations"] = {(-1, 0, 1, 2): everywhere, 1: everywhere, 2: everywhere}
        save_pickle(properties, str(path))


def test_two_dimensional_configurations_train(make_domain: Make) -> None:
    for number, channels in ((16, 1), (17, 3)):
        make_domain(number, SHAPES["2d-3-stages"], channels=channels)
    trainer = train(create_run(["16", "17"], 500, configurations=["test"]), f"{UNIVERSAL}_demo_1epochs")
    assert isinstance(trainer.parts[0].bare_network.encoder.stem.conv, torch.nn.Conv2d)
    assert trainer.parts[0].bare_network.encoder.downs[0].pointwise is (
        trainer.parts[1].bare_network.encoder.downs[0].pointwise
    )


@pytest.mark.slow
def test_compiled_every_domain_has_two_graphs_and_keeps_them(
    make_domain: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for training, one for validation, also where dynamo's limit of graphs per function would be too small."""
    run = make_run(make_domain, domains=(11, 13))  # shallow ones, of full convolutions: what compiles soonest
    compile_function, graphs = torch.compile, dict[torch.nn.Module, int]()

    def counting(module: torch.nn.Module) -> Any:
        graphs[module] = 0

        def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
            graphs[module] += 1
            return graph.forward

        return compile_function(module, backend=backend)

    # nnU-Net compiles on GPUs only
    monkeypatch.setattr(torch, "compile", counting)
    monkeypatch.setattr("nnunetv2.training.nnUNetTrainer.nnUNetTrainer.nnUNetTrainer._do_i_compile", lambda _: True)
    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=2):  # monkeypatch would take the setting away for all tests behind
        trainer = train(run, f"{UNIVERSAL}_full_demo_2epochs")
    networks = [part.bare_network for part in trainer.parts]
    assert [graphs[network] for network in networks] == [2, 2]
