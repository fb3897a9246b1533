"""What every converter must do; a new one adds a class that says what its source looks like."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import SimpleITK
from nnunetv2.paths import nnUNet_preprocessed
from PIL import Image

from nnunet_skipx.cli.main import main
from nnunet_skipx.datasets.catalogue import CONVERTERS
from nnunet_skipx.datasets.destination import VARIABLES
from nnunet_skipx.datasets.protocol import fold_digest, protocol_in
from nnunet_skipx.datasets.recipe import Options, Recipe
from tests.forking.fixture import ForkServer
from tests.forking.pools import forked_pools

NUMBER = 42


class ConverterContract:
    """One layout of one data set; the conversion runs once, through the command."""

    name: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]] = ()
    options = Options()
    folder_name: ClassVar[str]
    protocol: ClassVar[str]
    labels: ClassVar[dict[str, int]]
    normalisation: ClassVar[str]
    training: ClassVar[int]
    test: ClassVar[int] = 0
    labelled_test: ClassVar[int] = 0
    brightness: ClassVar[dict[int, float]]  # id of the data set -> what the made-up images show there
    validation: ClassVar[dict[int, list[str]]]  # of some folds
    a_file: ClassVar[str]  # of the source, needed
    missing_message: ClassVar[str]

    @staticmethod
    def write_source(parent: Path) -> Path:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def source(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return self.write_source(tmp_path_factory.mktemp("source"))

    @pytest.fixture(scope="class")
    def nnunet(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("nnunet")

    @pytest.fixture(autouse=True)
    def variables(self, nnunet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in VARIABLES:
            monkeypatch.setenv(variable, str(nnunet / variable))

    @pytest.fixture(scope="class")
    def raw(self, source: Path, nnunet: Path) -> Path:
        """The data set, made by the command from a source that nobody may write to."""
        before = digests(source)
        with pytest.MonkeyPatch.context() as patch:
            for variable in VARIABLES:
                patch.setenv(variable, str(nnunet / variable))
                (nnunet / variable).mkdir()
            with forked_pools():
                assert main(["convert", self.name, str(source), "-d", str(NUMBER), "-np", "1", *self.arguments]) == 0
        assert digests(source) == before
        return nnunet / "nnUNet_raw" / f"Dataset{NUMBER:03d}_{self.folder_name}"

    @pytest.fixture
    def description(self, raw: Path) -> dict:
        return json.loads((raw / "dataset.json").read_text())

    def recipe(self, source: Path, **changes: bool) -> Recipe:
        return CONVERTERS[self.name].read(source, replace(self.options, **changes))

    @pytest.mark.slow
    def test_nothing_else_is_left_in_nnunets_folder(self, raw: Path) -> None:
        assert [path.name for path in raw.parent.iterdir()] == [raw.name]

    def test_every_case_is_there(self, raw: Path, description: dict) -> None:
        ending = description["file_ending"]
        labels = {path.name.removesuffix(ending) for path in (raw / "labelsTr").iterdir()}
        images = {path.name.removesuffix(f"_0000{ending}") for path in (raw / "imagesTr").iterdir()}
        assert labels == images
        assert len(labels) == self.training == description["numTraining"]
        test = {path.name.removesuffix(f"_0000{ending}") for path in (raw / "imagesTs").glob("*")}
        labelled = {path.name.removesuffix(ending) for path in (raw / "labelsTs").glob("*")}
        assert (len(test), len(labelled)) == (self.test, self.labelled_test)
        assert labelled <= test and not test & labels, "what skipx bench --test needs"

    def test_labels_channels_and_normalisation_are_right(self, description: dict) -> None:
        from nnunetv2.preprocessing.normalization.map_channel_name_to_normalization import get_normalization_scheme

        assert description["labels"] == self.labels
        for channel in description["channel_names"].values():
            assert get_normalization_scheme(channel).__name__ == self.normalisation

    def test_labels_lie_on_their_images(self, raw: Path, description: dict) -> None:
        ending = description["file_ending"]
        found = set()
        for label in sorted(raw.glob("labelsT*/*")):
            image = raw / label.parent.name.replace("labels", "images") / image_name(label, ending)
            values = aligned_volume(image, label) if ending == ".nii.gz" else aligned_picture(image, label)
            found |= set(values)
        assert found == set(self.labels.values())

    def test_each_label_lies_where_its_own_image_shows_it(self, raw: Path, description: dict) -> None:
        ending = description["file_ending"]
        nearest = np.diff(sorted(set(self.brightness.values()))).min()
        for label in sorted((raw / "labelsTr").iterdir()):
            voxels, mask = (read(path) for path in (raw / "imagesTr" / image_name(label, ending), label))
            for number, expected in self.brightness.items():
                seen = voxels[mask == number].mean()
                assert seen == pytest.approx(expected, abs=0.4 * nearest), (label.name, number)

    def test_the_folds_are_those_of_the_field_and_the_protocol_knows_them(self, raw: Path, description: dict) -> None:
        path = Path(str(nnUNet_preprocessed)) / raw.name / "splits_final.json"
        splits = json.loads(path.read_text())
        assert json.loads((raw / "splits_final.json").read_text()) == splits
        cases = {path.name.removesuffix(description["file_ending"]) for path in (raw / "labelsTr").iterdir()}
        for fold in splits:
            assert not set(fold["train"]) & set(fold["val"])
            assert set(fold["train"]) | set(fold["val"]) == cases
        for number, names in self.validation.items():
            assert sorted(splits[number]["val"]) == sorted(names)
        protocol = protocol_in(description)
        assert protocol is not None
        assert protocol.name == self.protocol
        assert protocol.folds == tuple(fold_digest(fold["val"]) for fold in splits)

    def test_the_origin_is_written_down(self, raw: Path, source: Path) -> None:
        provenance = json.loads((raw / "provenance.json").read_text())
        used = {source / name: digest for name, digest in provenance["files"].items()}
        assert source / self.a_file in used
        assert all(hashlib.sha256(path.read_bytes()).hexdigest() == digest for path, digest in used.items())
        assert provenance["counts"] == {"Tr": self.training, "Ts": self.test}
        assert provenance["version"].startswith("nnunet_skipx ")

    @pytest.mark.slow
    def test_nnunet_plans_it(self, raw: Path, forks: ForkServer) -> None:
        forks.run("nnUNetv2_plan_and_preprocess", "-d", NUMBER, "-npfp", 1, "--no_pp", "--clean")
        folder = Path(str(nnUNet_preprocessed)) / raw.name
        assert "2d" in json.loads((folder / "nnUNetPlans.json").read_text())["configurations"]
        assert json.loads((folder / "dataset.json").read_text())["skipx_protocol"]["name"] == self.protocol

    def test_a_missing_file_is_named_and_may_be_allowed(self, source: Path) -> None:
        hidden = source / self.a_file
        aside = hidden.with_name(".hidden")
        hidden.rename(aside)
        try:
            with pytest.raises(FileNotFoundError, match=self.missing_message):
                self.recipe(source)
            part = self.recipe(source, allow_missing=True)
        finally:
            aside.rename(hidden)
        assert part.protocol_name.startswith(f"{self.protocol} (")
        assert len(part.training) < self.training

    def test_another_folder_is_refused_with_what_was_expected(self, tmp_path: Path) -> None:
        (tmp_path / "holiday.txt").touch()
        with pytest.raises(FileNotFoundError, match=r"holiday\.txt|holds 0 train"):
            self.recipe(tmp_path)

    def test_a_cut_file_is_named(self, source: Path, tmp_path: Path) -> None:
        case = next(case for case in self.recipe(source).cases if source / self.a_file in case.sources)
        hidden = source / self.a_file
        content = hidden.read_bytes()
        hidden.write_bytes(content[: len(content) * 2 // 3])
        try:
            with pytest.raises(ValueError, match=f"{hidden.name} is no"):
                case.write(case, tmp_path / "image.nii.gz", tmp_path / "label.nii.gz")
        finally:
            hidden.write_bytes(content)


def image_name(label: Path, ending: str) -> str:
    return f"{label.name.removesuffix(ending)}_0000{ending}"


def read(path: Path) -> np.ndarray:
    """Voxels (z, y, x), or pixels (y, x) without colour."""
    if path.name.endswith(".nii.gz"):
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    return np.asarray(Image.open(path).convert("L"))


def digests(folder: Path) -> dict[Path, str]:
    """Of every file below a folder."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def aligned_volume(image: Path, label: Path) -> np.ndarray:
    """The label's values; fails where SimpleITK sees another grid than the image's."""
    pair = [SimpleITK.ReadImage(str(path)) for path in (image, label)]
    assert pair[0].GetSize() == pair[1].GetSize()
    for geometry in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert np.allclose(*(getattr(one, geometry)() for one in pair), rtol=1e-6, atol=1e-7), (label.name, geometry)
    return np.unique(SimpleITK.GetArrayFromImage(pair[1]))


def aligned_picture(image: Path, label: Path) -> np.ndarray:
    """The label's values; fails where the picture is not RGB of the same size."""
    pixels, mask = (np.asarray(Image.open(path)) for path in (image, label))
    assert pixels.shape == (*mask.shape, 3)
    return np.unique(mask)
