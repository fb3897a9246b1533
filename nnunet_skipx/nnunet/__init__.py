"""What we know of nnU-Net's conventions: its plans, its checkpoints, its batches."""
