"""The data sets that `skipx convert` knows, and where each comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nnunet_skipx.datasets import acdc, btcv, glas, isic, monuseg, msd, synapse
from nnunet_skipx.datasets.recipe import Options, Recipe


@dataclass(frozen=True)
class Converter:
    """read: (source folder, options) -> `Recipe`. where: how to get the source."""

    read: Callable[[Path, Options], Recipe]
    where: str


ON_SYNAPSE = (
    "Register at https://www.synapse.org, join the challenge 'Multi-Atlas Labeling Beyond the Cranial Vault' "
    "(syn3193805) and download Abdomen/RawData.zip from its files."
)
CONVERTERS = {
    "msd": Converter(msd.read, "skipx fetch msd TASK downloads a task; all are at http://medicaldecathlon.com."),
    "btcv": Converter(btcv.read, ON_SYNAPSE),
    "synapse": Converter(
        synapse.read,
        f"{ON_SYNAPSE} Or ask for the preprocessed train_npz and test_vol_h5 as https://github.com/Beckschen/TransUNet "
        "describes.",
    ),
    "acdc": Converter(acdc.read, "Download `database` from https://humanheart-project.creatis.insa-lyon.fr/database."),
    "glas": Converter(
        glas.read, "Download the Warwick-QU data set from https://warwick.ac.uk/fac/cross_fac/tia/data/glascontest."
    ),
    "monuseg": Converter(
        monuseg.read,
        "Register at https://monuseg.grand-challenge.org, download the training and the test archive from Data, and "
        "unpack both into one folder.",
    ),
    "isic": Converter(
        isic.read,
        "Download task 1 of 2016 or 2018 (training and test, pictures and ground truth) from "
        "https://challenge.isic-archive.com/data and unpack the four archives into one folder.",
    ),
}
