"""nnU-Net's training augmentation for whole batches on the device of the network."""
