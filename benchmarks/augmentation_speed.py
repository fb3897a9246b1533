"""What nnU-Net's training augmentation costs per batch: batchgeneratorsv2, sample by sample, and `_gpuaug`.

`python -m benchmarks.augmentation_speed [--device cuda] [--batches N]` writes the table into docs/augmentation.md. On
the CPU both run in one thread, in turn, on the same batches; on a GPU only `_gpuaug` does.
"""

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from nnunetv2.training.data_augmentation.compute_initial_patch_size import get_patch_size
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from benchmarks.tables import replace_block
from nnunet_skipx.augmentation.pipeline import DeviceAugmentation
from nnunet_skipx.planning.storages import StorageTracker
from nnunet_skipx.profiling.measure import Step, gpu_memory, paired_seconds
from nnunet_skipx.system.machine import describe_machine

PAGE = Path(__file__).parents[1] / "docs" / "augmentation.md"
ROTATION = (-30 / 360 * 2 * np.pi, 30 / 360 * 2 * np.pi)  # nnU-Net's for isotropic volumes
ROTATION_2D = (-np.pi, np.pi)
SCALING = (0.85, 1.25)  # what nnU-Net leaves room for


@dataclass(frozen=True)
class Work:
    """A patch in voxels, samples in a batch, labels without background."""

    patch: tuple[int, ...]
    batch: int
    labels: int

    @property
    def rotation(self) -> tuple[float, float]:
        return ROTATION if len(self.patch) == 3 else ROTATION_2D

    def transforms(self) -> ComposeTransforms:
        """nnU-Net's own list, with five outputs of deep supervision."""
        axes = tuple(range(len(self.patch)))
        scales = [[0.5**stage] * len(axes) for stage in range(5)]
        return nnUNetTrainer.get_training_transforms(self.patch, self.rotation, scales, axes, False)

    def cropped(self) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch as workers crop it, larger than the patch: noise, and labels in blocks."""
        size = (int(n) for n in get_patch_size(self.patch, *[self.rotation] * 3, SCALING))
        return cropped_batch((self.batch, 1, *size), self.labels)


def cropped_batch(shape: tuple[int, ...], labels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise of this shape (B, C, *spatial), and labels in blocks with -1 where there was nothing."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(shape, generator=generator)
    coarse = torch.randint(-1, labels + 1, (shape[0], 1, *[8] * len(shape[2:])), generator=generator)
    return image, torch.nn.functional.interpolate(coarse.float(), shape[2:]).to(torch.int16)


WORKS = {
    "3D 128x128x128, batch 2, 2 labels": Work((128, 128, 128), 2, 2),
    "3D 128x128x128, batch 2, 13 labels": Work((128, 128, 128), 2, 13),
    "3D 40x56x40, batch 9, 2 labels": Work((40, 56, 40), 9, 2),
    "2D 256x256, batch 12, 2 labels": Work((256, 256), 12, 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batches", type=int, default=30)
    args = parser.parse_args()
    torch.set_num_threads(1)
    lines = ["| batch | batchgeneratorsv2 ms | `_gpuaug` ms | memory, times the batch's |", "|---|---|---|---|"]
    for name, work in WORKS.items():
        seconds = measured(work, args.device, args.batches)
        theirs = f"{1000 * seconds['theirs']:.0f}" if "theirs" in seconds else "-"
        lines.append(f"| {name} | {theirs} | {1000 * seconds['ours']:.1f} | {memory_share(work, args.device):.2f} |")
        print(lines[-1], flush=True)
    threads = "" if args.device == "cuda" else ", one thread"
    told = (
        f"Means over {args.batches} batches; `python -m benchmarks.augmentation_speed --device {args.device}`, "
        f"{describe_machine(args.device == 'cuda')}{threads}."
    )
    replace_block(PAGE, f"speed on {args.device}", "\n".join([*lines, "", told]))


def measured(work: Work, device: str, batches: int) -> dict[str, float]:
    """Mean seconds per batch; what is drawn differs from batch to batch, and so does the time."""
    steps = {"ours": our_step(work, device)}
    if device == "cpu":
        steps["theirs"] = their_step(work)
    return {name: statistics.mean(values) for name, values in paired_seconds(steps, batches).items()}


def our_step(work: Work, device: str, seed: int = 0) -> Step:
    """A batch on the device."""
    augmentation = DeviceAugmentation(work.transforms(), seed, torch.device(device))
    image, target = (x.pin_memory() if device == "cuda" else x for x in work.cropped())
    return lambda: augmentation(image, target)


def their_step(work: Work) -> Step:
    """The same batch, sample by sample, as a worker does it."""
    np.random.seed(0)
    torch.manual_seed(0)
    transforms, (image, target) = work.transforms(), work.cropped()
    return lambda: [transforms(image=i, segmentation=t) for i, t in zip(image, target, strict=True)]


def memory_share(work: Work, device: str) -> float:
    """The most bytes of tensors in ten batches, beside the input, in multiples of the input."""
    image, target = work.cropped()
    batch = image.nbytes + target.nbytes
    if device == "cuda":
        peaks = [gpu_memory(lambda seed=seed: our_step(work, device, seed))[1] * 2**20 for seed in range(10)]
        return max(peaks) / batch - 1
    return max(bytes_at_peak(our_step(work, device, seed)) for seed in range(10)) / batch - 1


def bytes_at_peak(step: Step) -> int:
    """Of the tensors that a step sees or makes, its input included."""
    step()  # what is made once and kept
    with StorageTracker(torch.device("cpu")) as tracker:
        step()
    return sum(tracker.peak.values())


if __name__ == "__main__":
    main()
