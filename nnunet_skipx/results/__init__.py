"""nnU-Net's results folders as one tidy table, with where each number comes from."""
