"""The mechanisms: plain torch, one idea per file, nothing of nnU-Net."""
