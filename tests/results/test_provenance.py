"""provenance: what nnU-Net noted when it trained, in words; digests that tell files and splits apart."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.results.provenance import file_digest, provenance, splits_digest, step_mode
from tests.training import conftest as training_conftest
from tests.training.small_trainer import make

folders = training_conftest.folders  # the fixture: nnU-Net's folders with the test plans' data set

DATASET = "Dataset004_Hippocampus"
SCALER = "<torch.amp.grad_scaler.GradScaler object at 0x7f1a2c0d3e50>"
SGD = "SGD (\nParameter Group 0\n    dampening: 0\n    initial_lr: 0.01\n    lr: 0.01\n    momentum: 0.99\n)"
NOTED = {
    "device": "cuda:0",
    "gpu_name": "NVIDIA A100-SXM4-40GB",
    "grad_scaler": SCALER,
    "hostname": "node17",
    "initial_lr": "0.01",
    "network": "OptimizedModule",
    "num_epochs": "1000",
    "num_iterations_per_epoch": "250",
    "optimizer": SGD,
    "torch_version": "2.9.1+cu128",
    "weight_decay": "3e-05",
}


def model_folder(root: Path, noted: dict[str, str] | None, trainer: str = "nnUNetTrainer", fold: int = 0) -> Path:
    folder = root / DATASET / f"{trainer}__nnUNetPlans__3d_fullres"
    (folder / f"fold_{fold}").mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text('{"plans_name": "nnUNetPlans"}')
    if noted is not None:
        (folder / f"fold_{fold}" / "debug.json").write_text(json.dumps(noted))
    return folder


def changed(root: Path, trainer: str = "nnUNetTrainer", **changes: str) -> dict[str, str]:
    return provenance(model_folder(root, NOTED | changes, trainer), [0])


def test_what_nnunet_noted_is_told(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, NOTED)
    assert provenance(folder, [0]) == {
        "epochs x iterations": "1000 x 250",
        "optimiser": "SGD, 0.01",
        "augmentation": "in worker processes",
        "steps": "nnU-Net's own",
        "device": "NVIDIA A100-SXM4-40GB",
        "precision": "float16 autocast",
        "compiled": "yes",
        "torch": "2.9.1+cu128",
        "host": "node17",
        "plans": file_digest(folder / "plans.json"),
        "command": f"nnUNetv2_train {DATASET} 3d_fullres FOLD -tr nnUNetTrainer -p nnUNetPlans",
    }


def noted_by_nnunet(trainer: Any) -> dict[str, str]:
    """From the file that nnU-Net's own method writes."""
    trainer._save_debug_information()
    return provenance(Path(trainer.output_folder_base), [0])


def test_nnunets_own_debug_json_is_understood(folders: Path) -> None:
    trainer = make("nnUNetTrainerXUNet_7epochs")
    trainer.initialize()
    name = type(trainer.optimizer).__name__
    found = noted_by_nnunet(trainer)
    assert found.pop("host")
    assert found == {
        "epochs x iterations": "7 x 250",
        "optimiser": f"{name}, 0.01",
        "augmentation": "in worker processes",
        "steps": "nnU-Net's own",
        "device": "cpu",
        "precision": "float32",
        "compiled": "no",
        "torch": torch.__version__,
        "command": "nnUNetv2_train Dataset998_Test test FOLD -tr nnUNetTrainerXUNet_7epochs -p nnUNetPlans",
    }


def test_a_scaler_and_a_compiled_network_are_recognised_as_nnunet_notes_them(folders: Path) -> None:
    trainer = make("nnUNetTrainerXUNet")
    trainer.initialize()
    trainer.grad_scaler = torch.amp.GradScaler("cpu")
    trainer.network = torch.compile(trainer.network)
    found = noted_by_nnunet(trainer)
    assert (found["precision"], found["compiled"]) == ("float16 autocast", "yes")


@pytest.mark.parametrize(
    ("trainer", "scaler", "device", "expected"),
    [
        ("nnUNetTrainer", SCALER, "cuda:0", "float16 autocast"),
        ("nnUNetTrainerUTANet_twin", SCALER, "cuda", "float16 autocast"),
        ("nnUNetTrainerUTANet_bf16", "None", "cuda:0", "bfloat16 autocast"),
        ("nnUNetTrainerUTANet_twin_bf16_30epochs", "None", "cuda", "bfloat16 autocast"),
        ("nnUNetTrainerUTANet_bf16", "None", "cpu", "float32"),  # nnU-Net does not autocast there
        ("nnUNetTrainer_bf16", "None", "mps", "float32"),
        ("nnUNetTrainer", "None", "cpu", "float32"),
        ("nnUNetTrainerNotbf16", "None", "cuda:0", "autocast without gradient scaler"),  # no option, part of a name
    ],
)
def test_precision_follows_from_scaler_option_and_device(
    tmp_path: Path, trainer: str, scaler: str, device: str, expected: str
) -> None:
    assert changed(tmp_path, trainer, grad_scaler=scaler, device=device)["precision"] == expected


@pytest.mark.parametrize(
    ("trainer", "expected"),
    [
        ("nnUNetTrainer", "in worker processes"),
        ("nnUNetTrainerUTANet_twin_bf16", "in worker processes"),
        ("nnUNetTrainerMygpuaug", "in worker processes"),  # no option, part of a name
        ("nnUNetTrainer_250epochs_gpuaug", "on the network's device"),
        ("nnUNetTrainerU2Net_gpuaug_elastic_from500", "on the network's device, with elastic deformation"),
    ],
)
def test_the_mode_of_the_augmentation_follows_from_the_name(tmp_path: Path, trainer: str, expected: str) -> None:
    assert changed(tmp_path, trainer)["augmentation"] == expected


@pytest.mark.parametrize(
    ("network", "expected"), [("OptimizedModule", "yes"), ("PlainConvUNet", "no"), ("DistributedDataParallel", None)]
)
def test_compiled_is_what_torch_calls_a_compiled_network(tmp_path: Path, network: str, expected: str | None) -> None:
    assert changed(tmp_path, network=network).get("compiled") == expected


def test_a_broken_file_is_named_and_the_rest_remains(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, NOTED)
    path = folder / "fold_0" / "debug.json"
    path.write_text(path.read_text()[:50])
    found = provenance(folder, [0])
    assert set(found) == {"augmentation", "steps", "plans", "command", "remark"}
    assert found["remark"].startswith("broken: ") and "fold_0/debug.json is not valid JSON" in found["remark"]


def test_the_name_of_the_gpu_is_preferred_over_the_device(tmp_path: Path) -> None:
    assert changed(tmp_path, gpu_name="NVIDIA H200")["device"] == "NVIDIA H200"
    without = {key: value for key, value in NOTED.items() if key != "gpu_name"}
    assert provenance(model_folder(tmp_path, without | {"device": "cpu"}), [0])["device"] == "cpu"


@pytest.mark.parametrize("noted", [None, {}])
def test_where_nothing_is_noted_plans_and_command_remain(tmp_path: Path, noted: dict | None) -> None:
    folder = model_folder(tmp_path, noted)
    assert set(provenance(folder, [0])) == {"augmentation", "steps", "plans", "command"}
    (folder / "plans.json").unlink()
    assert set(provenance(folder, [0])) == {"augmentation", "steps", "command"}


@pytest.mark.parametrize(
    ("missing", "fact"),
    [
        ("num_epochs", "epochs x iterations"),
        ("num_iterations_per_epoch", "epochs x iterations"),
        ("optimizer", "optimiser"),
        ("grad_scaler", "precision"),
        ("network", "compiled"),
        ("torch_version", "torch"),
        ("hostname", "host"),
    ],
)
def test_a_fact_that_is_not_noted_is_left_out_alone(tmp_path: Path, missing: str, fact: str) -> None:
    full = changed(tmp_path)
    some = provenance(model_folder(tmp_path, {key: NOTED[key] for key in NOTED if key != missing}), [0])
    assert some == {name: value for name, value in full.items() if name != fact}


def test_the_first_fold_of_those_asked_for_speaks(tmp_path: Path) -> None:
    for fold, host in ((0, "zero"), (2, "two")):
        folder = model_folder(tmp_path, NOTED | {"hostname": host}, fold=fold)
    assert provenance(folder, [2, 0])["host"] == "two"
    assert provenance(folder, [0, 2])["host"] == "zero"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_digests_are_equal_for_equal_content_only(
    tmp_path_factory: pytest.TempPathFactory, one: bytes, other: bytes
) -> None:
    folder = tmp_path_factory.mktemp("digests")
    for name, content in (("a", one), ("b", other), ("c", one)):
        (folder / name).write_bytes(content)
    assert file_digest(folder / "a") == file_digest(folder / "c")
    assert (file_digest(folder / "a") == file_digest(folder / "b")) == (one == other)
    assert len(file_digest(folder / "a")) == 12


def test_a_file_that_is_not_there_has_no_digest(tmp_path: Path) -> None:
    assert file_digest(tmp_path / "plans.json") == ""


def test_other_plans_under_the_same_name_show(tmp_path: Path) -> None:
    before = changed(tmp_path)["plans"]
    folder = model_folder(tmp_path, NOTED)
    assert provenance(folder, [0])["plans"] == before
    (folder / "plans.json").write_text('{"plans_name": "nnUNetPlans", "patch_size": [8, 8]}')
    assert provenance(folder, [0])["plans"] != before


SPLITS = st.dictionaries(st.text(min_size=1, max_size=5), st.integers(0, 4), min_size=1, max_size=8)


def table(pairs: list[tuple[str, int]]) -> pd.DataFrame:
    return pd.DataFrame({"case": [case for case, _ in pairs], "fold": [fold for _, fold in pairs]})


@given(SPLITS, st.data())
def test_the_order_of_rows_and_their_repetition_do_not_change_the_digest_of_the_splits(
    splits: dict[str, int], data: st.DataObject
) -> None:
    pairs = list(splits.items())
    repeated = data.draw(st.permutations(pairs + data.draw(st.lists(st.sampled_from(pairs), max_size=8))))
    assert splits_digest(table(repeated)) == splits_digest(table(pairs))


@given(SPLITS, st.data())
def test_a_case_that_moves_to_another_fold_changes_the_digest_of_the_splits(
    splits: dict[str, int], data: st.DataObject
) -> None:
    case = data.draw(st.sampled_from(sorted(splits)))
    fold = data.draw(st.integers(0, 4).filter(lambda number: number != splits[case]))
    assert splits_digest(table([*(splits | {case: fold}).items()])) != splits_digest(table([*splits.items()]))


@given(SPLITS, st.data())
def test_a_case_that_is_missing_or_has_another_name_changes_the_digest_of_the_splits(
    splits: dict[str, int], data: st.DataObject
) -> None:
    case = data.draw(st.sampled_from(sorted(splits)))
    rest = {name: fold for name, fold in splits.items() if name != case}
    found = splits_digest(table([*splits.items()]))
    assert splits_digest(table([*rest.items()])) != found
    assert splits_digest(table([*(rest | {case + "_": splits[case]}).items()])) != found or case + "_" in rest


def test_a_name_tells_how_steps_are_carried_out() -> None:
    assert step_mode("nnUNetTrainerUTANet_gpuaug_fast") == "fused, channels last, not awaited (_fast)"
    assert step_mode("nnUNetTrainerFast") == "nnU-Net's own"
