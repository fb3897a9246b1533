"""Cells of a comparison, trained here or on a Slurm cluster."""
