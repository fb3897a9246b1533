"""The data sets that we convert, in a line each, and MSD's tasks; without an import of another library."""

from nnunet_skipx.nnunet.names import is_number
from nnunet_skipx.system.names import did_you_mean

DATASETS = {
    "msd": "Medical Segmentation Decathlon, ten tasks: nnU-Net's five folds",
    "btcv": "BTCV, 13 organs in CT: five folds of the 30 labelled scans",
    "synapse": "Synapse, 8 of BTCV's organs: TransUNet's split, 18 for training and 12 for test",
    "acdc": "ACDC, cardiac MRI in two phases: nnU-Net's five folds of the 100 patients",
    "glas": "GlaS, glands in histology: 85 for training, 80 for test",
    "monuseg": "MoNuSeg 2018, nuclei in histology: 30 for training, 14 for test",
    "isic": "ISIC 2016 or 2018, skin lesions: the official training and test parts",
}
MSD_TASKS = (
    "Task01_BrainTumour",
    "Task02_Heart",
    "Task03_Liver",
    "Task04_Hippocampus",
    "Task05_Prostate",
    "Task06_Lung",
    "Task07_Pancreas",
    "Task08_HepaticVessel",
    "Task09_Spleen",
    "Task10_Colon",
)


def msd_task(name: str | None) -> str:
    """The whole name of an MSD task given by name or number; ValueError that lists the ten."""
    number = f"Task{int(name):02d}_" if name and is_number(name) else name
    found = [task for task in MSD_TASKS if number and (task == number or task.startswith(number))]
    if len(found) != 1:
        what = "no task was named" if name is None else f"{name!r} is no MSD task{did_you_mean(name, MSD_TASKS)}"
        raise ValueError(f"{what}: give one of {', '.join(MSD_TASKS)}, or its number")
    return found[0]
