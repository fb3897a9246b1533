"""Quick planning: pools of processes that fork, and fingerprints of few voxels."""

import multiprocessing.context
from collections.abc import Iterator
from contextlib import contextmanager

from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.utilities.utils import create_lists_from_splitted_dataset_folder as list_files


def contexts() -> dict[str, multiprocessing.context.BaseContext]:
    """How processes are started, by name; whoever asks for `spawn` gets what stands there."""
    return multiprocessing.context._concrete_contexts  # type: ignore[attr-defined]


@contextmanager
def forked_pools() -> Iterator[None]:
    """Within it `get_context("spawn")` forks; nnU-Net asks for fresh processes, each of which imports everything.

    And one process lists the files of a folder, for which nnU-Net takes twelve.
    """
    fresh, twelve = contexts()["spawn"], list_files.__defaults__
    contexts()["spawn"] = contexts()["fork"]
    assert twelve == (None, 12), "nnU-Net lists files in another way now"
    list_files.__defaults__ = (None, 1)
    try:
        yield
    finally:
        contexts()["spawn"], list_files.__defaults__ = fresh, twelve


@contextmanager
def few_voxels() -> Iterator[None]:
    """nnU-Net draws 10^8 voxels for the fingerprint of any data set, which takes seconds for pictures of a few."""
    original = DatasetFingerprintExtractor.__init__

    def initialise(self: DatasetFingerprintExtractor, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)
        assert self.num_foreground_voxels_for_intensitystats == 10e7, "nnU-Net draws another number now"
        self.num_foreground_voxels_for_intensitystats = 10e5

    DatasetFingerprintExtractor.__init__ = initialise
    try:
        yield
    finally:
        DatasetFingerprintExtractor.__init__ = original
