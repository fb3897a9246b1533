"""Elements of the maps of one sample at which a network takes the memory of nnU-Net's 8 GB plan.

At nnU-Net's reference batch size: 12 in 2D, 2 in 3D. PlainConvUNet has nnU-Net's own values; the others are printed by
`python -m benchmarks.vram_references`, which says how they are found.
"""

REFERENCES: dict[str, dict[str, int]] = {
    "PlainConvUNet": {"2d": 85_000_000, "3d": 560_000_000},
    "UTANet": {"2d": 175_000_000, "3d": 807_000_000},
    "XUNet": {"2d": 113_000_000, "3d": 728_000_000},
    "UDTransNet": {"2d": 88_000_000, "3d": 584_000_000},
    "MSAUNet": {"2d": 86_000_000, "3d": 566_000_000},
    "U2Net": {"2d": 105_000_000, "3d": 643_000_000},
}
