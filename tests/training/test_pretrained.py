"""`-pretrained_weights` through nnU-Net's own loader: what fits is loaded, what does not is told."""

from pathlib import Path
from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

from nnunet_skipx.architectures import SkipUNet, U2Net
from nnunet_skipx.architectures.pretrained import for_channels
from nnunet_skipx.training.grammar import trainer_names
from nnunet_skipx.training.variants import trainer_class
from nnunet_skipx.universal.sharing import share
from nnunet_skipx.universal.trainer import UniversalNetwork
from tests.contract import SMALL
from tests.plan_shapes import PlanShape, dataset_json, plans

WITH_UNET = [name for name in trainer_names() if issubclass(trainer_class(name).architecture, SkipUNet)]
Kind = pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])


def network_of(name: str, residual: bool = False, channels: int = 1, classes: int = 3, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    manager = PlansManager(plans(SMALL, residual=residual))
    return trainer_class(name).build_network_architecture(
        manager, manager.get_configuration("test"), channels, classes, True
    )


def stock_file(folder: Path, residual: bool = False, channels: int = 1, classes: int = 3) -> Path:
    torch.manual_seed(7)
    kind = ResidualEncoderUNet if residual else PlainConvUNet
    architecture = SMALL.architecture(residual=residual)
    stock = kind(input_channels=channels, num_classes=classes, deep_supervision=True, **architecture)
    return saved(folder, stock.state_dict())


def saved(folder: Path, weights: dict[str, torch.Tensor]) -> Path:
    path = folder / "checkpoint_final.pth"
    torch.save({"network_weights": weights}, path)
    return path


def loaded(network: nn.Module, path: Path) -> tuple[dict, dict, dict]:
    """The state before, that of the file, and that after nnU-Net's loader."""
    before = {key: value.clone() for key, value in network.state_dict().items()}
    load_pretrained_weights(network, str(path))
    return before, torch.load(path)["network_weights"], network.state_dict()


@pytest.mark.parametrize("name", WITH_UNET)
@Kind
def test_a_stock_checkpoint_starts_encoder_and_decoder(tmp_path: Path, name: str, residual: bool) -> None:
    network = network_of(name, residual)
    before, file, after = loaded(network, stock_file(tmp_path, residual, classes=5))
    assert after.keys() == before.keys() > {key for key in file if ".seg_layers." not in key}
    for key, value in after.items():
        anew = ".seg_layers." in key or key.startswith("skips.")
        assert torch.equal(value, before[key] if anew else file[key]), key
    said = str(network.warm_start)
    assert "segmentation heads start anew; of the mechanism these start anew: skips." in said
    assert "another shape" not in said and "input channels" not in said


@pytest.mark.parametrize("name", [*WITH_UNET, "nnUNetTrainerU2Net"])
@Kind
def test_the_same_trainer_with_other_classes_and_channels(tmp_path: Path, name: str, residual: bool) -> None:
    path = saved(tmp_path, network_of(name, residual, channels=3, classes=5, seed=1).state_dict())
    network = network_of(name, residual, channels=1, classes=2)
    before, file, after = loaded(network, path)
    first = tuple(network.keys_to_in_proj)
    for key, value in after.items():
        if ".seg_layers." in key:
            assert torch.equal(value, before[key]), key
        elif value.shape == file[key].shape:
            assert torch.equal(value, file[key]), key
        elif key.removeprefix("decoder.").startswith(first):
            torch.testing.assert_close(value, file[key].sum(1, keepdim=True))
        else:
            assert key.startswith("skips."), "only the mechanism may see the image besides the first convolution"
    assert network.warm_start.adapted and all(key.startswith(first) for key in network.warm_start.adapted)
    assert f"input channels the mean over the file's was taken: {network.warm_start.adapted[0]}" in str(
        network.warm_start
    )


def self_supervised_file(folder: Path, prefix: str, parts: tuple[str, ...]) -> Path:
    """A file as nnssl writes it: one channel in, one out, its own plan beside the weights."""
    stock = ResidualEncoderUNet(input_channels=1, num_classes=1, **SMALL.architecture(residual=True))
    weights = {f"{prefix}{key}": value for key, value in stock.state_dict().items() if key.startswith(parts)}
    path = folder / "checkpoint_final.pth"
    where = {"key_to_encoder": "encoder.stages", "key_to_stem": "encoder.stem"}
    torch.save({"network_weights": weights, "nnssl_adaptation_plan": where, "citations": []}, path)
    return path


@pytest.mark.parametrize("name", WITH_UNET)
@pytest.mark.parametrize(("prefix", "channels"), [("", 1), ("module.", 2)])
def test_an_encoder_of_self_supervised_training(tmp_path: Path, name: str, prefix: str, channels: int) -> None:
    network = network_of(name, residual=True, channels=channels)
    before, file, after = loaded(network, self_supervised_file(tmp_path, prefix, ("encoder.", "decoder.encoder.")))
    in_encoder = {key: value for key, value in after.items() if key.startswith("encoder.")}
    assert in_encoder
    for key, value in in_encoder.items():
        theirs = file[prefix + key]
        kept = theirs if value.shape == theirs.shape else for_channels(theirs, channels)
        torch.testing.assert_close(value, kept, rtol=0, atol=0)
    assert torch.equal(after["decoder.stages.0.convs.0.conv.weight"], before["decoder.stages.0.convs.0.conv.weight"])
    said = str(network.warm_start)
    assert said.startswith("Pretrained weights: ") and "not in the file, or in another shape: decoder." in said


def test_the_decoder_of_self_supervised_training_is_taken_where_it_is_there(tmp_path: Path) -> None:
    network = network_of("nnUNetTrainerUTANet", residual=True)
    _, file, after = loaded(network, self_supervised_file(tmp_path, "", ("encoder.", "decoder.")))
    assert torch.equal(after["decoder.stages.0.convs.0.conv.weight"], file["decoder.stages.0.convs.0.conv.weight"])
    assert not network.warm_start.others


def universal_file(folder: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """The weights of a universal run of two domains, and those of the one that is like `SMALL`."""
    alike = network_of("nnUNetTrainerU2Net", channels=2, classes=4, seed=1)
    other = U2Net(1, 2, **PlanShape((16, 32, 32), (3, 1, 1), SMALL.stages + 1).architecture())
    share(alike, other)
    run = UniversalNetwork({"Dataset011_Other": other, "Dataset012_Alike": alike})
    return saved(folder, run.state_dict()), alike.state_dict()


def test_u2net_starts_from_the_domain_of_a_universal_run_of_which_most_fits(tmp_path: Path) -> None:
    path, domain = universal_file(tmp_path)
    network = network_of("nnUNetTrainerU2Net", channels=2)
    _, _, after = loaded(network, path)
    assert all(torch.equal(value, domain[key]) for key, value in after.items() if ".seg_layers." not in key)
    assert str(network.warm_start).startswith("Pretrained weights of Dataset012_Alike: ")


def test_other_networks_say_whose_weights_do_not_fit(tmp_path: Path) -> None:
    path, _ = universal_file(tmp_path)
    with pytest.raises(
        ValueError, match=r"weight of Dataset01\d_\w+ fits the encoder of UTANet: .* none of this network"
    ):
        load_pretrained_weights(network_of("nnUNetTrainerUTANet"), str(path))


def test_a_kernel_for_other_channels_answers_an_image_repeated_over_them_alike() -> None:
    kernel, image = torch.randn(4, 1, 3, 3), torch.randn(1, 1, 8, 8)
    for channels in (2, 3):
        wider = for_channels(kernel, channels)
        alike = nn.functional.conv2d(image.expand(-1, channels, -1, -1), wider)
        torch.testing.assert_close(alike, nn.functional.conv2d(image, kernel))
        torch.testing.assert_close(for_channels(wider, 1), kernel)


def test_u2net_says_why_it_takes_no_stock_checkpoint(tmp_path: Path) -> None:
    network = network_of("nnUNetTrainerU2Net")
    with pytest.raises(ValueError, match=r"no pretrained weight fits the encoder of U2Net: its separable convolutions"):
        load_pretrained_weights(network, str(stock_file(tmp_path)))


def test_a_network_of_other_widths_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"fits the encoder of XUNet: .* other widths\. Take a checkpoint of the same"):
        load_pretrained_weights(network_of("nnUNetTrainerXUNet_twin"), str(stock_file(tmp_path)))


@pytest.mark.parametrize("wrong", [{"residual": True}, {"channels": 2}])
def test_stage2_freezes_no_unet_that_is_random_in_parts(tmp_path: Path, folders: Path, wrong: dict[str, Any]) -> None:
    trainer = trainer_class("nnUNetTrainerUTANet_stage2")(plans(SMALL), "test", 0, dataset_json(), torch.device("cpu"))
    trainer.initialize()
    path = stock_file(tmp_path, **wrong)
    if "residual" in wrong:
        weights = torch.load(path)["network_weights"] | network_of("nnUNetTrainerUTANet").state_dict()
        path = saved(tmp_path, {k: v for k, v in weights.items() if not k.startswith("encoder.stages.1.")})
    load_pretrained_weights(trainer.network, str(path))
    with pytest.raises(ValueError, match=r"freezes the U-Net, but the pretrained weights have another encoder\.stages"):
        trainer.on_train_start()


def test_the_log_of_a_training_says_what_was_loaded(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer: Any = trainer_class("nnUNetTrainerXUNet")(plans(SMALL), "test", 0, dataset_json(), torch.device("cpu"))
    trainer.initialize()
    load_pretrained_weights(trainer.network, str(stock_file(folders)))
    monkeypatch.setattr(type(trainer), "preflight", lambda _: (_ for _ in ()).throw(InterruptedError))
    with pytest.raises(InterruptedError):
        trainer.on_train_start()
    assert "Pretrained weights: " in Path(trainer.log_file).read_text()


def test_checkpoints_with_the_old_name_of_msaunets_head_still_load() -> None:
    network, other = network_of("nnUNetTrainerMSAUNet"), network_of("nnUNetTrainerMSAUNet", seed=1)
    old = dict(other.state_dict())
    old["skips.bottleneck_head.weight"] = old.pop("skips.seg_layers.0.weight")
    network.load_state_dict(old)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in network.state_dict().items())
