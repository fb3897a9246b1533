"""Broken checkpoints and preprocessed cases, to the commands that read some; each is named with what makes it again."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
import pytest
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from tests.bad_inputs.ending import assert_refused, ending
from tests.bad_inputs.nifti_files import Spoil, content
from tests.contract import SMALL_2D
from tests.inspection.test_command import CASES, CHECKPOINT, Workplace, small
from tests.universal.conftest import Make, make_domain

__all__ = ["make_domain", "small"]  # fixtures
TRAIN = "nnUNetv2_train 998 test 0 -tr nnUNetTrainer -p nnUNetPlans --c"
PREPROCESS = "nnUNetv2_preprocess -d 998 -plans_name nnUNetPlans"


def entries(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Other entries in a checkpoint."""

    def spoil(path: Path) -> None:
        checkpoint = torch.load(path, weights_only=False)
        change(checkpoint)
        torch.save(checkpoint, path)

    return spoil


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Spoil:
    return entries(lambda checkpoint: change(checkpoint["network_weights"]))


def first_weight(change: Callable[[torch.Tensor], torch.Tensor]) -> Spoil:
    def spoil(found: dict[str, torch.Tensor]) -> None:
        name = next(iter(found))
        found[name] = change(found[name])

    return weights(spoil)


class Stranger:
    """What nobody here knows, and would be run to be made."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return print, ("run",)


def an_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")


def saved(value: object) -> Spoil:
    return lambda path: torch.save(value, path)


def a_bomb(path: Path) -> None:
    """A part of some kilobytes that becomes megabytes, as it might petabytes."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more", bytes(2**24))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHECKPOINTS: dict[str, Spoil] = {
    "nothing": content(lambda _: b""),
    "zeros": content(lambda whole: bytes(len(whole))),
    "a web page": content(lambda _: b"<html>not found</html>"),
    "half of it": content(lambda whole: whole[: len(whole) // 2]),
    "all but its end": content(lambda whole: whole[:-10]),
    "a flipped byte": content(lambda w: w[: len(w) // 2] + bytes([w[len(w) // 2] ^ 255]) + w[len(w) // 2 + 1 :]),
    "an archive of text": an_archive,
    "a list": saved([]),
    "a number": saved(3),
    "a plain pickle": content(lambda _: pickle.dumps({})),
    "somebody's code": entries(lambda c: c.update(optimizer_state=Stranger())),
    "no weights": entries(lambda c: c.pop("network_weights")),
    "no trainer": entries(lambda c: c.pop("trainer_name")),
    "no arguments": entries(lambda c: c.pop("init_args")),
    "arguments of another kind": entries(lambda c: c.update(init_args=[])),
    "no configuration": entries(lambda c: c.update(init_args={})),
    "another configuration": entries(lambda c: c.update(init_args={"configuration": "3d_cascade"})),
    "weights of another kind": entries(lambda c: c.update(network_weights=[])),
    "weights that are numbers": entries(lambda c: c.update(network_weights={"a": 1.0})),
    "a trainer of nobody": entries(lambda c: c.update(trainer_name="nnUNetTrainerOfNobody")),
    "a trainer of another kind": entries(lambda c: c.update(trainer_name=7)),
    "another network's": entries(lambda c: c.update(trainer_name="nnUNetTrainerUTANet")),
    "a weight less": weights(lambda found: found.pop(next(iter(found)))),
    "a weight more": weights(lambda found: found.update(more=torch.ones(1))),
    "a weight of another size": first_weight(lambda weight: weight[:1]),
    "a weight of a petabyte": first_weight(lambda weight: weight.flatten()[:1].expand(2**24, 2**24)),
    "a bomb": a_bomb,
    "NaN": first_weight(lambda weight: weight * float("nan")),
    "infinity": first_weight(lambda weight: weight / 0),
    "a folder": a_folder,
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_inspect_a_checkpoint(name: str, small: Workplace) -> None:
    model = small.model("nnUNetTrainer")
    path = model / "fold_0" / CHECKPOINT
    CHECKPOINTS[name](path)
    end = ending("inspect", model, "-f", "0", "-device", "cpu")
    assert_refused(end, path, "TORCH_FORCE" if name == "somebody's code" else TRAIN if name != "a folder" else "")


def array(shape: tuple[int, ...], dtype: type = np.float32, value: float = 1) -> np.ndarray:
    return np.full(shape, value, dtype)


GOOD = (1, 2, 32, 24)


def case(image: np.ndarray, labels: np.ndarray | None = None) -> Spoil:
    """Another image, and label map, in the place of a case's."""

    def spoil(path: Path) -> None:
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
        found = array((1, *image.shape[1:]), np.int8) if labels is None else labels
        nnUNetDatasetBlosc2.save_case(image, found, {}, str(path))

    return spoil


def of(ending: str, change: Spoil) -> Spoil:
    """Of one of a case's files."""
    return lambda path: change(path.with_name(f"{path.name}{ending}"))


def compressed_text(path: Path) -> None:
    path.write_bytes(blosc2.compress2(b"text"))


ENDINGS = {"image": ".b2nd", "label map": "_seg.b2nd", "properties": ".pkl"}
BYTES: dict[str, Spoil] = {
    "nothing": content(lambda _: b""),
    "zeros": content(lambda whole: bytes(len(whole))),
    "half": content(lambda whole: whole[: len(whole) // 2]),
    "a web page": content(lambda _: b"<html>not found</html>"),
}
STORED: dict[str, Spoil] = {
    **{f"{what}: {how}": of(end, change) for what, end in ENDINGS.items() for how, change in BYTES.items()},
    "a lost image": of(".b2nd", Path.unlink),
    "a lost label map": of("_seg.b2nd", Path.unlink),
    "compressed text": of(".b2nd", compressed_text),
    "two channels": case(array((2, *GOOD[1:]))),
    "another label map's size": case(array(GOOD), array((1, 2, 9, 9), np.int8)),
    "NaN": case(array(GOOD, value=float("nan"))),
    "infinity": case(array(GOOD, value=float("inf"))),
    "labels that are fractions": case(array(GOOD), array(GOOD, np.float32, 0.5)),
}


@pytest.fixture
def stored(small: Workplace) -> Path:
    """A case as nnU-Net 2.8 preprocesses it."""
    for name in CASES:
        case(array(GOOD))(small.data / name)
    return small.data / CASES[0]


def test_a_good_one_is_inspected(stored: Path, small: Workplace) -> None:
    assert ending("inspect", small.model("nnUNetTrainer"), "-f", "0", "-device", "cpu").status == 0


@pytest.mark.parametrize("name", STORED)
def test_inspect_a_preprocessed_case(name: str, stored: Path, small: Workplace) -> None:
    STORED[name](stored)
    end = ending("inspect", small.model("nnUNetTrainer"), "-f", "0", "-device", "cpu")
    assert_refused(end, stored, PREPROCESS)


def test_inspect_cases_of_which_there_are_only_properties(stored: Path, small: Workplace) -> None:
    for path in small.data.glob("*.b2nd"):
        path.unlink()
    assert_refused(ending("inspect", small.model("nnUNetTrainer"), "-device", "cpu"), small.data, PREPROCESS)


@pytest.mark.parametrize("how", BYTES)
@pytest.mark.parametrize("what", ENDINGS)
def test_load_a_preprocessed_case(what: str, how: str, make_domain: Make) -> None:
    folder = make_domain(11, SMALL_2D) / "nnUNetPlans_test"
    for name in "abc":
        of(ENDINGS[what], BYTES[how])(folder / name)
    command = "profile -d 11 -c test -device cpu --dataloading --iterations 1 -tr nnUNetTrainer"
    assert_refused(ending(*command.split()), folder, "nnUNetv2_preprocess -d 11")
