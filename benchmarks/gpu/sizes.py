"""On what is measured: plans as nnU-Net makes them for these patches, batches to augment, a volume to predict."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.augmentation_speed import WORKS, Work
from nnunet_skipx.nnunet.throwaway import Setting
from nnunet_skipx.planning.made_up_plans import Shape, setting


@dataclass(frozen=True)
class Sizes:
    """All sizes of a run on a device, with the steps that are timed and the iterations with loading.

    volume: sides in voxels of what is predicted. larger: voxels by which the sides of a preprocessed case exceed the
    patch's.
    """

    device: str
    shapes: Mapping[str, Shape]
    works: Mapping[str, Work]
    volume: tuple[int, ...]
    larger: int
    steps: int
    iterations: int

    def setting(self, plan: str) -> Setting:
        """The plans, the configuration and the data set of a plan."""
        return replace(setting(self.shapes[plan]), device=self.device)


SHAPES = {
    "3D 128x128x128, batch 2": Shape((128, 128, 128), (1, 1, 1), 6, 2, features=32),
    "2D 512x512, batch 12": Shape((512, 512), (1, 1), 8, 12, features=32),
    "3D 40x56x40, batch 9": Shape((40, 56, 40), (1, 1, 1), 4, 9, features=32),
}
LARGE_3D, LARGE_2D, HIPPOCAMPUS = SHAPES
TINY = {
    LARGE_3D: Shape((16, 16, 16), (1, 1, 1), 3, 2, features=4),
    LARGE_2D: Shape((32, 32), (1, 1), 4, 2, features=4),
    HIPPOCAMPUS: Shape((16, 16, 16), (1, 1, 1), 3, 3, features=4),
}


def real(device: str) -> Sizes:
    """What the tables of the docs are measured on."""
    return Sizes(device, SHAPES, WORKS, (256, 256, 256), larger=32, steps=10, iterations=40)


def rehearsal(device: str) -> Sizes:
    """The same names at toy sizes, so that every branch runs in seconds on a CPU; its figures say nothing."""
    works = {name: Work((32,) * len(work.patch), 2, work.labels) for name, work in WORKS.items()}
    return Sizes(device, TINY, works, (20, 20, 20), larger=4, steps=1, iterations=2)
