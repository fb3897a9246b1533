"""One file per data set: from the source folder to nnU-Net raw data."""
