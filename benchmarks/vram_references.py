"""How large a network takes as much memory as nnU-Net's, found out anew beside what its class declares.

    python -m benchmarks.vram_references [NETWORK ...]

`nnunet_skipx/planning/references.py` says how they are found. Takes a minute, and no GPU.
"""

import sys
from collections.abc import Sequence

from nnunet_skipx.architectures import NETWORKS
from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.planning.references import predicted_reference


def main(architectures: Sequence[str]) -> None:
    append_to_environment()
    for architecture in architectures or NETWORKS:
        in_2d, in_3d = predicted_reference(architecture)
        declared = NETWORKS[architecture].vram_reference
        print(f"{architecture}: vram_reference = ({in_2d:_}, {in_3d:_}), declared: {declared}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
