"""`skipx inspect` on untrained networks and made-up preprocessed cases; tests/end_to_end has trained ones."""

import json
import math
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.evaluation.evaluate_predictions import compute_metrics
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetNumpy
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from nnunet_skipx.inspection import trained_fold
from nnunet_skipx.inspection.ablation import skip_of_another
from nnunet_skipx.inspection.command import inspect_model
from nnunet_skipx.inspection.records import KINDS, Inspection, read_inspection
from nnunet_skipx.inspection.trained_fold import TrainedFold, mean_dice, resized
from nnunet_skipx.nnunet.folds import ALL, NOTHING_LEFT
from nnunet_skipx.nnunet.search import EXT_VARIABLE, find_trainer
from nnunet_skipx.profiling.cost import inference_network
from nnunet_skipx.statistics.text import format_interval
from nnunet_skipx.system.files import write_json
from tests.contract import SMALL, SMALL_2D
from tests.plan_shapes import PlanShape, dataset_json, plans

CHECKPOINT = "checkpoint_final.pth"
CASES = ["case_a", "case_b", "case_c"]
FOLDS = [{"train": CASES[2:], "val": CASES[:2]}, {"train": CASES[:2], "val": CASES[2:]}]


class Workplace:
    """nnUNet_preprocessed with three cases, and model folders beside it."""

    def __init__(self, folder: Path, shape: PlanShape) -> None:
        self.folder, self.shape = folder, shape
        self.base = folder / "preprocessed" / "Dataset998_Test"
        self.data = self.base / "nnUNetPlans_test"
        self.data.mkdir(parents=True)
        write_json(self.base / "splits_final.json", FOLDS)
        noise = np.random.default_rng(0)
        slices = () if len(shape.patch) == 3 else (2,)
        for number, case in enumerate(CASES):
            size = (1, *slices, *(n + 4 - 6 * (number == 1) for n in shape.patch))  # the second is padded to a patch
            image = noise.normal(size=size).astype(np.float32)
            labels = (image > 0).astype(np.int8) + (image > 1)
            nnUNetDatasetNumpy.save_case(image, labels, {}, str(self.data / case))

    def model(self, trainer: str, folds: int = 2, **more: Any) -> Path:
        """A model folder as nnU-Net leaves it, with a network that has learned nothing."""
        content = plans(self.shape)
        content["configurations"]["test"] |= more
        folder = self.folder / "Dataset998_Test" / f"{trainer}__nnUNetPlans__test"
        for fold in range(folds):
            (folder / f"fold_{fold}").mkdir(parents=True)
            torch.manual_seed(fold)
            network, shape = inference_network(find_trainer(trainer), content, "test", dataset_json())
            network.train()(torch.randn(2, *shape[1:]))  # fills what runs along over images
            checkpoint = {
                "network_weights": network.state_dict(),
                "trainer_name": trainer,
                "init_args": {"configuration": "test"},
                "inference_allowed_mirroring_axes": (0, 1),
            }
            torch.save(checkpoint, folder / f"fold_{fold}" / CHECKPOINT)
        write_json(folder / "plans.json", content)
        write_json(folder / "dataset.json", dataset_json())
        return folder


@pytest.fixture(params=[SMALL, SMALL_2D], ids=["3d", "2d"])
def workplace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "preprocessed"))
    return Workplace(tmp_path, request.param)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "preprocessed"))
    return Workplace(tmp_path, SMALL_2D)


def found(model: Path, fold: int) -> dict[str, Any]:
    return json.loads((model / f"fold_{fold}" / "skipx_inspect.json").read_text())


def test_every_fold_is_inspected_on_its_own_validation_cases(
    workplace: Workplace, capsys: pytest.CaptureFixture
) -> None:
    model = workplace.model("nnUNetTrainerUTANet")
    capsys.readouterr()
    text = inspect_model(model, None, "cpu", CHECKPOINT)
    assert capsys.readouterr().out == "", "stdout is for the table"
    for fold, split in enumerate(FOLDS):
        content = found(model, fold)
        assert content["skips"] == 2
        assert content["checkpoint"] == CHECKPOINT
        assert list(content["cases"]) == split["val"]
        assert list(content["routing"]) == split["val"]
        assert content["attention"] == {}
        for case in content["cases"].values():
            assert len(case["zeroed"]) == 2
            assert case["other"] is None if fold == 1 else len(case["other"]) == 2
        assert np.shape(list(content["routing"].values())) == (len(split["val"]), 2, 4)
        assert [1 <= number <= 6 for number in content["pairs"]] == [True, True]
        assert list(content["gates"]) == ["skips.gates.chosen"]
    assert found(model, 0)["gates"]["skips.gates.chosen"]["spread"] > 0
    assert found(model, 1)["gates"]["skips.gates.chosen"]["spread"] is None
    assert_is_the_summary(text, read_inspection(model, [0, 1]))
    assert text.endswith(str(model / "fold_1" / "skipx_inspect.json"))


def assert_is_the_summary(text: str, inspection: Inspection) -> None:
    header, _, columns, *losses, _, remark, _, gates, spread, _, pairs, first, second, _, _, _ = text.splitlines()
    assert header.startswith("nnUNetTrainerUTANet__nnUNetPlans__test: mean Dice 0.")
    assert "of 3 preprocessed cases" in header
    words = ["skip", "Dice lost when zeroed [95 % CI]", "when replaced by another case's [95 % CI]"]
    assert columns.split("  ") == words
    for number, line in enumerate(losses):
        cells = [format_interval(inspection.loss(kind, number)) for kind in KINDS]
        assert all("(n = " in cell for cell in cells), "few cases have no interval"
        assert line.split() == [str(number), *" ".join(cells).split()]
    assert len(losses) == 2
    assert remark == "Fold 1: validated on a single case, so no other case's skips were put in."
    assert gates.split() == ["gate", "spread", "between", "cases"]
    assert spread.split() == ["skips.gates.chosen", f"{inspection.gates['spread'].mean():.2g}"]
    assert pairs == "routing gate  pairs of experts used"
    for number, line in enumerate((first, second)):
        used = inspection.pairs.set_index(["gate", "fold"])["pairs"][number]
        words = f"{used.min()} to {used.max()}" if used.min() < used.max() else f"{used.min()}"
        assert line.split() == [str(number), *words.split()]


def test_a_single_case_alone_is_said_to_be_too_few(small: Workplace) -> None:
    model = small.model("nnUNetTrainer")
    text = inspect_model(model, [1], "cpu", CHECKPOINT)
    lost = read_inspection(model, [1]).losses
    assert lost["kind"].to_list() == ["zeroed", "zeroed"]
    assert text.splitlines()[3].split() == ["0", f"{lost['lost'][0]:.3f}", "(n", "=", "1)", "–", "(n", "=", "0)"]
    assert "gate" not in text


def test_a_case_that_is_its_own_donor_loses_nothing(workplace: Workplace) -> None:
    trained = TrainedFold.load(workplace.model("nnUNetTrainerMSAUNet"), 0, "cpu", CHECKPOINT)
    for case in trained.cases:
        intact = trained.dice(case)
        for stage in (0, 1):
            with skip_of_another(trained.network, stage):
                assert trained.dice(case, case) == intact


def test_a_network_that_never_calls_its_encoder_is_refused(small: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small.model("nnUNetTrainer", folds=1)
    monkeypatch.setattr(PlainConvUNet, "forward", lambda self, x: x.new_zeros(1, 3, *x.shape[2:]))
    with pytest.raises(ValueError, match="PlainConvUNet never calls its encoder"):
        inspect_model(model, None, "cpu", CHECKPOINT)


def test_the_donor_is_the_next_case_of_the_fold(small: Workplace) -> None:
    model = small.model("nnUNetTrainer", folds=1)
    inspect_model(model, None, "cpu", CHECKPOINT)
    cases = found(model, 0)["cases"]
    trained = TrainedFold.load(model, 0, "cpu", CHECKPOINT)
    for case, donor in (("case_a", "case_b"), ("case_b", "case_a")):
        for stage in (0, 1):
            with skip_of_another(trained.network, stage):
                assert cases[case]["other"][stage] == trained.dice(case, donor) != cases[case]["intact"]


def test_an_image_is_resized_linearly_and_stays_itself_at_its_own_size() -> None:
    image = torch.randn(2, 3, 5, 4)
    assert torch.equal(resized(image, (3, 5, 4)), image)
    ramp = torch.arange(6.0).expand(1, 2, 4, 6)
    assert resized(ramp, (2, 4, 3))[0, 0, 0].tolist() == [0.5, 2.5, 4.5]


def test_the_same_call_finds_the_same(small: Workplace) -> None:
    model = small.model("nnUNetTrainerUDTransNet", folds=1)
    files = []
    for _ in range(2):
        inspect_model(model, [0], "cpu", CHECKPOINT)
        files.append((model / "fold_0" / "skipx_inspect.json").read_bytes())
    assert files[0] == files[1]
    attention = read_inspection(model, [0]).attention
    np.testing.assert_allclose(attention.groupby("stage")["share"].sum(), 1, rtol=1e-6)


def test_the_stock_network_and_compiled_ones_are_inspected_too(
    small: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small.model("nnUNetTrainer", folds=1)
    inspect_model(model, None, "cpu", CHECKPOINT)
    plain = found(model, 0)
    assert any(dice != case["intact"] for case in plain["cases"].values() for dice in case["zeroed"])
    monkeypatch.setenv("nnUNet_compile", "true")
    inspect_model(model, None, "cpu", CHECKPOINT)
    assert found(model, 0) == plain


def test_only_the_folds_and_the_checkpoint_asked_for(small: Workplace) -> None:
    model = small.model("nnUNetTrainer")
    (model / "fold_all").mkdir()
    for fold in ("0", "1", "all"):
        (model / f"fold_{fold}" / "checkpoint_best.pth").write_bytes((model / "fold_1" / CHECKPOINT).read_bytes())
    inspect_model(model, [1], "cpu", CHECKPOINT)
    assert not (model / "fold_0" / "skipx_inspect.json").exists()
    final = found(model, 1)
    text = inspect_model(model, None, "cpu", "checkpoint_best.pth")
    assert text.count("wrote") == 2
    assert found(model, 1) == final | {"checkpoint": "checkpoint_best.pth"}


def test_a_broken_file_of_the_users_is_blamed_and_not_the_checkpoint(
    small: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small.model("nnUNetTrainerUTANet", folds=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.py").write_text("raise TypeError('mine')\n")
    monkeypatch.setenv(EXT_VARIABLE, os.pathsep.join([str(tmp_path / "mine"), os.environ[EXT_VARIABLE]]))
    with pytest.raises(ValueError, match=r"ends at /.*/broken.py, line 1 \(TypeError: mine\)"):
        inspect_model(model, None, "cpu", CHECKPOINT)


def test_fold_all_has_no_cases_to_look_at(small: Workplace) -> None:
    model = small.model("nnUNetTrainer", folds=1)
    with pytest.raises(ValueError, match=f"{NOTHING_LEFT}: name folds that leave cases out, such as -f 0 1"):
        inspect_model(model, [ALL], "cpu", CHECKPOINT)
    (model / "fold_0").rename(model / "fold_all")
    with pytest.raises(FileNotFoundError, match=f"{NOTHING_LEFT}: nnUNetv2_train .* 0 -tr nnUNetTrainer -p .*Plans$"):
        inspect_model(model, None, "cpu", CHECKPOINT)


def test_a_case_without_any_class_is_null(small: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small.model("nnUNetTrainer", folds=1)
    monkeypatch.setattr(trained_fold, "mean_dice", lambda logits, reference, labels: math.nan)
    text = inspect_model(model, None, "cpu", CHECKPOINT)
    assert found(model, 0)["cases"]["case_a"] == {"intact": None, "zeroed": [None] * 2, "other": [None] * 2}
    assert "mean Dice nan" in text


def test_mistakes_name_the_path_and_the_cure(small: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small.model("nnUNetTrainer")

    def refused(kind: type[Exception], words: str, folder: Path = model, **options: Any) -> None:
        arguments = {"folds": None, "device": "cpu", "checkpoint": CHECKPOINT} | options
        with pytest.raises(kind, match=words):
            inspect_model(folder, **arguments)

    refused(FileNotFoundError, "nothing does not exist.*TRAINER__PLANS__CONFIGURATION", small.folder / "nothing")
    refused(FileNotFoundError, r"no checkpoint_final.pth of fold_4 \(it has one of 0, 1\).*--c", folds=[1, 4])
    refused(FileNotFoundError, r"no best.pth of any fold \(it has one of none\)", checkpoint="best.pth")
    if not torch.cuda.is_available():
        refused(ValueError, "-device cpu", device="cuda")
    (small.data / "case_b.pkl").unlink()
    refused(FileNotFoundError, "1 of the 2 validation.*nnUNetPlans_test, for example case_b: run nnUNetv2_preprocess")
    write_json(small.base / "splits_final.json", FOLDS[:1])
    refused(ValueError, "splits_final.json has 1 folds, so it does not tell what fold 1 .* -f", folds=[1])
    (small.base / "splits_final.json").unlink()
    refused(FileNotFoundError, "splits_final.json is missing: copy the file")
    monkeypatch.delenv("nnUNet_preprocessed")
    refused(FileNotFoundError, "export nnUNet_preprocessed=")
    (model / "dataset.json").unlink()
    refused(FileNotFoundError, "dataset.json is missing")


def validated(model: Path, fold: int, cases: list[str]) -> None:
    """nnU-Net's summary of a validation on these cases, with as much in it as is read."""
    metrics = {"1": {"Dice": 0.5}, "2": {"Dice": float("nan")}}
    entries = [{"prediction_file": f"somewhere/{case}.nii.gz", "metrics": metrics} for case in cases]
    path = model / f"fold_{fold}" / "validation" / "summary.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"metric_per_case": entries}))


def test_the_cases_that_a_fold_was_validated_on_are_inspected(small: Workplace) -> None:
    model = small.model("nnUNetTrainer")
    validated(model, 1, ["case_b", "case_a"])
    (small.base / "splits_final.json").unlink()
    inspect_model(model, [1], "cpu", CHECKPOINT)
    assert list(found(model, 1)["cases"]) == ["case_a", "case_b"]


def test_splits_that_changed_since_the_training_are_refused(small: Workplace) -> None:
    model = small.model("nnUNetTrainer")
    validated(model, 0, CASES[:1])
    with pytest.raises(ValueError, match=r"fold 0 .* other cases than .*splits_final.json .*such as case_b.*: copy"):
        inspect_model(model, [0], "cpu", CHECKPOINT)
    validated(model, 1, FOLDS[1]["val"])
    inspect_model(model, [1], "cpu", CHECKPOINT)


def test_a_cascade_is_refused(small: Workplace) -> None:
    model = small.model("nnUNetTrainer", folds=1, previous_stage="3d_lowres")
    with pytest.raises(ValueError, match=r"continues from the predictions of 3d_lowres.*inspect that one"):
        inspect_model(model, None, "cpu", CHECKPOINT)


LABELS: dict[str, tuple[dict, list[int] | None, list]] = {
    "labels": ({"background": 0, "a": 1, "b": 2}, None, [1, 2]),
    "ignore": ({"background": 0, "a": 1, "b": 2, "ignore": 3}, None, [1, 2]),
    "regions": ({"background": 0, "whole": [1, 2], "core": [2]}, [1, 2], [(1, 2), (2,)]),
    "regions-ignore": ({"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}, [1, 2], [(1, 2), (2,)]),
}


@pytest.mark.parametrize("name", LABELS)
def test_dice_is_nnunets_mean_over_the_classes(name: str) -> None:
    values, order, classes = LABELS[name]
    labels = LabelManager(values, order)
    rng = np.random.default_rng(0)
    reference = rng.integers(-1, 4 if labels.has_ignore_label else 3, (3, 6, 5))  # -1: outside the image's content
    logits = torch.from_numpy(rng.normal(size=(labels.num_segmentation_heads, 3, 6, 5))).half()

    maps = {"reference": reference, "prediction": labels.convert_logits_to_segmentation(logits).numpy()}
    reader = SimpleNamespace(read_seg=lambda path: (maps[path], {}))
    metrics = compute_metrics("reference", "prediction", reader, classes, labels.ignore_label)["metrics"]
    assert mean_dice(logits, reference, labels) == pytest.approx(np.mean([metrics[key]["Dice"] for key in classes]))


def test_classes_in_neither_map_do_not_count() -> None:
    labels = LabelManager({"background": 0, "a": 1, "b": 2}, None)
    logits = torch.zeros(3, 1, 2, 2)
    logits[0] = 1
    assert math.isnan(mean_dice(logits, np.zeros((1, 2, 2), int), labels))
    assert mean_dice(logits, np.full((1, 2, 2), 1), labels) == 0.0
    logits[1, 0, 0, 0] = 2
    assert mean_dice(logits, np.array([[[1, 0], [0, 0]]]), labels) == 1.0
