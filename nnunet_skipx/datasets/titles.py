"""The data sets that we convert, in a line each; without an import, for the command line."""

DATASETS = {
    "msd": "Medical Segmentation Decathlon, ten tasks: nnU-Net's five folds",
    "btcv": "BTCV, 13 organs in CT: five folds of the 30 labelled scans",
    "synapse": "Synapse, 8 of BTCV's organs: TransUNet's split, 18 for training and 12 for test",
    "acdc": "ACDC, cardiac MRI in two phases: nnU-Net's five folds of the 100 patients",
    "glas": "GlaS, glands in histology: 85 for training, 80 for test",
    "monuseg": "MoNuSeg 2018, nuclei in histology: 30 for training, 14 for test",
    "isic": "ISIC 2016 or 2018, skin lesions: the official training and test parts",
}
