"""The cells of a comparison, trainer by fold, and where they are trained: here or on a Slurm cluster."""
