"""`_gpuaug`: what the workers no longer do, the training step does on the trainer's device."""

from pathlib import Path

import numpy as np
import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_skipx.nnunet.checkpoints import DamagedCheckpointError, read_checkpoint
from nnunet_skipx.training.options.gpuaug import STATE
from nnunet_skipx.training.variants import trainer_class
from tests.contract import SMALL
from tests.plan_shapes import dataset_json, plans
from tests.training.small_trainer import make

LARGER = tuple(length + 8 for length in SMALL.patch)


def started(name: str) -> nnUNetTrainer:
    """A trainer that has asked for its transforms, as it does for its data loaders; needs conftest's `folders`."""
    trainer = make(name)
    trainer.initialize()
    trainer.network.train()
    scales = trainer._get_deep_supervision_scales()
    rotation, dummy_2d, _, axes = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    assert trainer.get_training_transforms(SMALL.patch, rotation, scales, axes, dummy_2d) is None
    return trainer


def cropped(seed: int = 0) -> dict:
    """A batch as the workers crop it: larger than the patch, -1 where there was nothing."""
    rng = np.random.default_rng(seed)
    data = torch.from_numpy(rng.normal(size=(2, 1, *LARGER)).astype(np.float32))
    target = torch.from_numpy(rng.integers(-1, 3, size=(2, 1, *LARGER)).astype(np.int16))
    return {"data": data, "target": target, "keys": ["a", "b"]}


@pytest.mark.parametrize("name", ["nnUNetTrainer_gpuaug", "nnUNetTrainerUTANet_gpuaug", "nnUNetTrainerU2Net_gpuaug"])
def test_a_step_takes_what_the_workers_cropped(folders: Path, name: str) -> None:
    trainer = started(name)
    before = [p.detach().clone() for p in trainer.network.parameters()]
    assert np.isfinite(trainer.train_step(cropped())["loss"])
    after = list(trainer.network.parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_the_network_sees_the_augmented_patch_and_the_loss_its_targets(folders: Path) -> None:
    trainer = started("nnUNetTrainer_gpuaug")
    assert trainer.augmentation is not None
    state = trainer.augmentation.draws.state_dict()
    image, targets = trainer.augmentation(*(cropped()[key] for key in ("data", "target")))
    trainer.augmentation.draws.load_state_dict(state)
    seen: list[torch.Tensor] = []
    trainer.network.register_forward_pre_hook(lambda network, inputs: seen.append(inputs[0].clone()))
    trainer.loss = with_targets(trainer.loss, seen)
    trainer.train_step(cropped())
    for one, other in zip(seen, [image, *targets], strict=True):
        assert torch.equal(one, other)


def with_targets(loss: torch.nn.Module, seen: list[torch.Tensor]) -> torch.nn.Module:
    """The loss, which notes the targets that it is given."""
    loss.register_forward_pre_hook(lambda module, inputs: seen.extend(target.clone() for target in inputs[1]))
    return loss


def test_random_numbers_go_on_after_a_resumed_training(folders: Path, tmp_path: Path) -> None:
    first, second = started("nnUNetTrainer_gpuaug"), make("nnUNetTrainer_gpuaug")
    first.train_step(cropped())
    path = str(tmp_path / "checkpoint.pth")
    first.save_checkpoint(path)
    assert STATE in torch.load(path, weights_only=False)
    assert [p.name for p in tmp_path.glob("checkpoint*")] == ["checkpoint.pth"]
    second.load_checkpoint(path)
    rotation, dummy_2d, _, axes = second.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    second.get_training_transforms(SMALL.patch, rotation, second._get_deep_supervision_scales(), axes, dummy_2d)
    arguments = [cropped(3)[key] for key in ("data", "target")]
    assert first.augmentation is not None
    assert second.augmentation is not None
    ours, theirs = first.augmentation(*arguments), second.augmentation(*arguments)
    assert torch.equal(ours[0], theirs[0])
    assert all(torch.equal(one, other) for one, other in zip(ours[1], theirs[1], strict=True))


@pytest.mark.parametrize("name", ["nnUNetTrainer", "nnUNetTrainerUTANet"])
def test_a_checkpoint_is_nnunets_with_one_more_entry_and_written_once(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stock, trainer = make(name), started(f"{name}_gpuaug")
    stock.initialize()
    saved: list[set] = []
    save = torch.save
    monkeypatch.setattr(torch, "save", lambda content, *to: (saved.append(set(content)), save(content, *to)))
    for each in (stock, trainer):
        each.save_checkpoint(str(tmp_path / "checkpoint.pth"))
    plain, augmented = saved
    assert augmented == plain | {STATE}
    assert set(read_checkpoint(tmp_path / "checkpoint.pth")) == augmented
    save({}, tmp_path / "other.pth")
    assert read_checkpoint(tmp_path / "other.pth") == {}, "only checkpoints get the entry"


def test_before_the_first_batch_and_without_checkpointing_nothing_is_added(folders: Path, tmp_path: Path) -> None:
    unstarted, off = make("nnUNetTrainer_gpuaug"), started("nnUNetTrainer_gpuaug")
    unstarted.initialize()
    unstarted.save_checkpoint(str(tmp_path / "checkpoint.pth"))
    assert STATE not in read_checkpoint(tmp_path / "checkpoint.pth")
    off.disable_checkpointing = True
    off.save_checkpoint(str(tmp_path / "none.pth"))
    assert [path.name for path in tmp_path.glob("*.pth*")] == ["checkpoint.pth"]


def test_a_checkpoint_that_was_cut_off_is_refused_before_anything_is_loaded(folders: Path, tmp_path: Path) -> None:
    trainer, path = started("nnUNetTrainer_gpuaug"), tmp_path / "checkpoint.pth"
    trainer.save_checkpoint(str(path))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DamagedCheckpointError, match="goes on from the checkpoint before"):
        trainer.load_checkpoint(str(path))


def log_of(trainer: nnUNetTrainer) -> str:
    return Path(trainer.log_file).read_text()


def test_where_the_gpus_memory_ends_the_augmentation_goes_on_on_the_cpu_with_one_line(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = started("nnUNetTrainer_gpuaug")
    augmentation, calls = trainer.augmentation, []
    assert augmentation is not None

    class Full(type(augmentation)):  # type: ignore[misc]
        def __call__(self, image: torch.Tensor, target: torch.Tensor) -> tuple:
            calls.append(self.draws.noise)
            if self.draws.noise is calls[0]:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return super().__call__(image, target)

    monkeypatch.setattr(augmentation, "__class__", Full)
    for _ in range(3):
        assert np.isfinite(trainer.train_step(cropped())["loss"])
    assert len(calls) == 4, "it was tried on the GPU once"
    assert log_of(trainer).count("goes on on the CPU") == 1


def test_a_device_that_cannot_resample_volumes_gets_its_augmentation_from_the_cpu(folders: Path) -> None:
    trainer = make("nnUNetTrainer_gpuaug")
    trainer.device = torch.device("mps")
    trainer.get_training_transforms(SMALL.patch, (-0.5, 0.5), [[1, 1, 1]], (0, 1), False)
    assert trainer.augmentation is not None
    assert trainer.augmentation.draws.noise.device.type == "cpu"
    assert "runs on cpu, in the training process, because torch cannot resample volumes on mps" in log_of(trainer)


def test_noise_begins_anew_where_a_training_resumes_on_another_kind_of_device(folders: Path) -> None:
    augmentation = started("nnUNetTrainer_gpuaug").augmentation
    assert augmentation is not None
    state = augmentation.draws.state_dict()
    elsewhere = state | {"noise": {"device": "cuda", "state": torch.zeros(16, dtype=torch.uint8)}}
    before = augmentation.draws.noise.get_state()
    augmentation.draws.load_state_dict(elsewhere)
    assert torch.equal(augmentation.draws.noise.get_state(), before)


def test_a_trainer_that_never_loads_data_steps_as_ever(folders: Path) -> None:
    trainer = make("nnUNetTrainer_gpuaug")
    trainer.initialize()
    target = torch.zeros((2, 1, *SMALL.patch))
    scales = trainer._get_deep_supervision_scales()
    targets = [torch.nn.functional.interpolate(target, scale_factor=scale) for scale in scales]
    assert np.isfinite(trainer.train_step({"data": torch.randn(2, 1, *SMALL.patch), "target": targets})["loss"])


def test_a_cascade_trains_on_the_stage_before_as_channels(folders: Path) -> None:
    content = plans(SMALL)
    content["configurations"]["low"] = {"inherits_from": "test", "next_stage": "high"}
    content["configurations"]["high"] = {"inherits_from": "test", "previous_stage": "low"}
    torch.manual_seed(0)
    trainer = trainer_class("nnUNetTrainerUTANet_gpuaug")(content, "high", 0, dataset_json(), torch.device("cpu"))
    trainer.initialize()
    labels = trainer.label_manager.foreground_labels
    scales = trainer._get_deep_supervision_scales()
    trainer.get_training_transforms(
        SMALL.patch, (-0.5, 0.5), scales, (0, 1, 2), False, is_cascaded=True, foreground_labels=labels
    )
    batch = cropped()
    batch["target"] = torch.cat([batch["target"], batch["target"].clamp(min=0)], dim=1)
    seen: list[torch.Tensor] = []
    trainer.network.register_forward_pre_hook(lambda network, inputs: seen.append(inputs[0]))
    assert np.isfinite(trainer.train_step(batch)["loss"])
    assert seen[0].shape == (2, 1 + len(labels), *SMALL.patch)


def test_elastic_deformation_is_an_option_of_the_augmentation_on_the_device(folders: Path) -> None:
    trainer = started("nnUNetTrainer_elastic_gpuaug")
    assert trainer.augmentation is not None
    assert trainer.augmentation.elastic
    assert np.isfinite(trainer.train_step(cropped())["loss"])
    plain = started("nnUNetTrainer_gpuaug").augmentation
    assert plain is not None
    assert not plain.elastic
    with pytest.raises(ValueError, match="add '_gpuaug'"):
        trainer_class("nnUNetTrainerUTANet_elastic")
