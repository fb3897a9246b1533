"""Every layout of every download, in miniature, through the command."""

from pathlib import Path

import pytest
from nnunetv2.utilities.crossval_split import generate_crossval_split

from nnunet_skipx.datasets import isic
from nnunet_skipx.datasets.recipe import Options
from tests.datasets import sources
from tests.datasets.converter_contract import ConverterContract

BTCV_CASES = [f"case{number:04d}" for number in (*range(1, 11), *range(21, 41))]
BTCV_LABELS = (
    "background",
    "spleen",
    "right kidney",
    "left kidney",
    "gallbladder",
    "esophagus",
    "liver",
    "stomach",
    "aorta",
    "inferior vena cava",
    "portal and splenic vein",
    "pancreas",
    "right adrenal gland",
    "left adrenal gland",
)
TRANSUNET = (
    "background",
    "aorta",
    "gallbladder",
    "left kidney",
    "right kidney",
    "liver",
    "pancreas",
    "spleen",
    "stomach",
)
SAMED = ("background", "spleen", "right kidney", "left kidney", "gallbladder", "liver", "stomach", "aorta", "pancreas")
SYNAPSE_TEST = [f"case{number:04d}" for number in (1, 2, 3, 4, 8, 22, 25, 29, 32, 35, 36, 38)]
TRANSUNET_MAP = {8: 1, 4: 2, 3: 3, 2: 4, 6: 5, 11: 6, 1: 7, 7: 8}
SAMED_MAP = {1: 1, 2: 2, 3: 3, 4: 4, 6: 5, 7: 6, 8: 7, 11: 8}


def hounsfield(ids: dict[int, int]) -> dict[int, float]:
    """Of every id but the background: what `sources.scan` draws for BTCV's id behind it."""
    return {here: 40.0 * btcv - 100 for btcv, here in ids.items() if here > 0}


def scaled(ids: dict[int, int]) -> dict[int, float]:
    """The same in TransUNet's slices, clipped to [-125, 275] and scaled to [0, 1]."""
    return {here: min(value + 125, 400) / 400 for here, value in hounsfield(ids).items()}


def numbered(names: tuple[str, ...]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


class TestBTCV(ConverterContract):
    name, folder_name, protocol = "btcv", "BTCV", "BTCV-13 5-fold"
    labels = numbered(BTCV_LABELS)
    brightness = hounsfield({number: number for number in range(14)})
    normalisation = "CTNormalization"
    training, test = 30, 3
    validation = {n: list(fold["val"]) for n, fold in enumerate(generate_crossval_split(BTCV_CASES, n_splits=5))}
    a_file, missing_message = "Training/label/label0001.nii.gz", r"Training/label/label0001\.nii\.gz is missing"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_btcv(parent)


class TestBTCVFromAboveWithAnotherSpelling(TestBTCV):
    a_file = "RawData/Training/img/img0021.nii.gz"
    missing_message = r"Training/img/img0021\.nii\.gz is missing \(1 of this kind"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_btcv(parent, test="Test").parent


class TestSynapse(ConverterContract):
    name, arguments, options = "synapse", ("--label-map", "transunet"), Options(label_map="transunet")
    folder_name, protocol = "Synapse8TransUNet", "Synapse-8 TransUNet 18/12"
    labels = numbered(TRANSUNET)
    brightness = hounsfield(TRANSUNET_MAP)
    normalisation = "CTNormalization"
    training = 30
    validation = {0: SYNAPSE_TEST}
    a_file, missing_message = "Training/label/label0001.nii.gz", r"label0001\.nii\.gz is missing"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_btcv(parent)


class TestSynapseWithSAMedsLabels(TestSynapse):
    arguments, options = ("--label-map", "samed"), Options(label_map="samed")
    folder_name, protocol = "Synapse8SAMed", "Synapse-8 SAMed 18/12"
    labels = numbered(SAMED)
    brightness = hounsfield(SAMED_MAP)


class TestSynapseFromSlices(TestSynapse):
    folder_name, protocol = "Synapse8TransUNetSlices", "Synapse-8 TransUNet 18/12 from slices"
    brightness = scaled(TRANSUNET_MAP)
    a_file, missing_message = "test_vol_h5/case0001.npy.h5", r"test_vol_h5/case0001\.npy\.h5 is missing"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_slices(parent, TRANSUNET_MAP)


class TestSynapseFromSlicesWithSAMedsLabels(TestSynapseFromSlices):
    arguments, options = ("--label-map", "samed"), Options(label_map="samed")
    folder_name, protocol = "Synapse8SAMedSlices", "Synapse-8 SAMed 18/12 from slices"
    labels = numbered(SAMED)
    brightness = scaled(SAMED_MAP)
    a_file, missing_message = "train_npz/case0005_slice003.npz", r"train_npz/case0005_slice003\.npz is missing"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_slices(parent, SAMED_MAP)


class TestACDC(ConverterContract):
    name, folder_name, protocol = "acdc", "ACDC", "ACDC 5-fold by patient"
    labels = {"background": 0, "right ventricle": 1, "myocardium": 2, "left ventricle": 3}
    brightness = hounsfield({number: number for number in range(4)})
    normalisation = "ZScoreNormalization"
    training, test, labelled_test = 200, 6, 4
    validation = {}  # compared with nnU-Net's own function in test_acdc
    a_file, missing_message = "training/patient003/patient003_frame01_gt.nii.gz", r"patient003_frame01_gt\.nii\.gz is m"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_acdc(parent)


class TestACDCWithoutCompression(TestACDC):
    a_file = "database/training/patient003/patient003_frame10.nii"
    missing_message = r"patient003_frame10\.nii\.gz is missing"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_acdc(parent, ending=".nii").parent


class TestGlaS(ConverterContract):
    name, folder_name, protocol = "glas", "GlaS", "GlaS 85/80"
    labels = {"background": 0, "gland": 1}
    brightness = {0: 150, 1: 90}
    normalisation = "RGBTo01Normalization"
    training = 165
    validation = {0: [f"testA_{n:03d}" for n in range(1, 61)] + [f"testB_{n:03d}" for n in range(1, 21)]}
    a_file, missing_message = "testB_3_anno.bmp", r"testB_3_anno\.bmp is missing"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_glas_flat(parent)


class TestGlaSInFolders(TestGlaS):
    validation = {0: [f"test_{number:03d}" for number in range(1, 81)]}
    a_file, missing_message = "Test_Folder/labelcol/7.png", r"Test_Folder/labelcol/7\.png is missing"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_glas_folders(parent)


class TestMoNuSeg(ConverterContract):
    name, folder_name, protocol = "monuseg", "MoNuSeg", "MoNuSeg 30/14"
    labels = {"background": 0, "nucleus": 1}
    brightness = {0: 150, 1: 90}
    normalisation = "RGBTo01Normalization"
    training = 44
    validation = {0: [f"test_TCGA-{number // 2:02d}-{number:04d}-01Z-00-DX1" for number in range(30, 44)]}
    a_file = "MoNuSegTestData/TCGA-15-0030-01Z-00-DX1.xml"
    missing_message = r"TCGA-15-0030-01Z-00-DX1\.xml is missing"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_monuseg(parent)


class TestMoNuSegWithBoundaries(TestMoNuSeg):
    arguments, options = ("--masks", "boundary"), Options(masks="boundary")
    folder_name, protocol = "MoNuSegBoundary", "MoNuSeg 30/14 with boundary class"
    labels = {"background": 0, "nucleus": 1, "boundary": 2}
    brightness = {0: 150, 1: 90, 2: 90}


class TestISIC2016(ConverterContract):
    name = "isic"
    folder_name, protocol = "ISIC2016", "ISIC-2016 900/379"
    labels = {"background": 0, "lesion": 1}
    brightness = {0: 150, 1: 90}
    normalisation = "RGBTo01Normalization"
    training = 1279
    validation = {0: [f"test_ISIC_{number:07d}" for number in range(900, 1279)]}
    a_file = "ISBI2016_ISIC_Part1_Test_GroundTruth/ISIC_0001007_Segmentation.png"
    missing_message = r"isic_0001007_segmentation\.png is missing"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_isic(parent, "2016", 900, 379)


class TestISIC2018(TestISIC2016):
    """A part of the download, as the whole has 3,594 pictures."""

    arguments, options = ("--allow-missing",), Options(allow_missing=True)
    folder_name, protocol = "ISIC2018", "ISIC-2018 2594/1000 (9 of 3594 cases)"
    training = 9
    validation = {0: [f"test_ISIC_{number:07d}" for number in range(6, 9)]}
    a_file = "ISIC2018_Task1_Test_GroundTruth/ISIC_0000007_segmentation.png"

    @staticmethod
    def write_source(parent: Path) -> Path:
        return sources.write_isic(parent, "2018", 6, 3)

    def test_a_missing_file_is_named_and_may_be_allowed(self, source: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"Training_Input holds 6 pictures with a mask, expected 2594"):
            isic.read(source, Options())
