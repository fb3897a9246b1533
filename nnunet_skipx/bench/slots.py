"""Where cells train on this machine: one at a time per GPU, or side by side on the CPU's cores."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from nnunet_skipx.discovery import append_to_environment
from nnunet_skipx.nnunet.names import is_number
from nnunet_skipx.system.cores import available_cores

MOST_CPU_JOBS = 4
WRITING_PROCESSES = 8  # nnU-Net's, where nnUNet_def_n_proc does not say otherwise
FOR_CPU = "is for the CPU, a GPU trains one cell at a time: add -device cpu, or drop it"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Slot:
    """A place for one training at a time: a GPU, or `threads` of the CPU.

    gpu: as in CUDA_VISIBLE_DEVICES; None leaves that as it is, for a GPU that Slurm gives.
    workers: the most that may augment, or write predictions, beside each other; None leaves it to nnU-Net.
    """

    device: str
    gpu: str | None = None
    threads: int = 1  # torch's threads do not help nnU-Net on a GPU
    workers: int | None = None

    def environment(self) -> dict[str, str]:
        """The environment of a training here.

        On the CPU augmentation runs inline where nnUNet_n_proc_DA does not say otherwise: workers would take its cores.
        """
        append_to_environment()
        environment = dict(os.environ)
        if self.gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = self.gpu
        if self.workers is not None:
            from nnunetv2.utilities.default_n_proc_DA import get_allowed_n_proc_DA

            augmenting = min(self.workers, get_allowed_n_proc_DA())
            writing = min(self.workers, int(environment.get("nnUNet_def_n_proc", WRITING_PROCESSES)))
            environment |= {"nnUNet_n_proc_DA": str(augmenting), "nnUNet_def_n_proc": str(writing)}
        if self.device == "cpu":
            environment |= dict.fromkeys(THREAD_VARIABLES, str(self.threads))
            environment |= {"nnUNet_def_n_proc": "1", "CUDA_VISIBLE_DEVICES": ""}
            if "nnUNet_n_proc_DA" not in os.environ:
                environment["nnUNet_n_proc_DA"] = "0"
        return environment


def slots(device: str | None, gpus: str | None, jobs: int | None) -> list[Slot]:
    """The places to train at: GPUs like "0,1" (None for all), or `jobs` on the CPU; `device` None takes a GPU if any.

    Raises:
        ValueError: GPUs or jobs that do not exist, or that do not go with the device.
    """
    require_places(device, gpus, jobs)
    count = gpus_there()
    on_gpu = device == "cuda" or gpus is not None or (device is None and count > 0)
    if on_gpu and jobs is not None:
        raise ValueError(f"--jobs {jobs} {FOR_CPU}")
    if not on_gpu:
        return cpu_slots(jobs)
    return gpu_slots(gpus.split(",") if gpus is not None else [str(gpu) for gpu in range(max(1, count))], count)


def require_places(device: str | None, gpus: str | None, jobs: int | None) -> None:
    """Raise ValueError for what is wrong whatever GPUs there are, which takes torch to know."""
    if gpus is not None:
        if device == "cpu":
            raise ValueError(f"--gpus {gpus} and -device cpu exclude each other: leave one out")
        named = gpus.split(",")
        if wrong := [gpu for gpu in named if not is_number(gpu)]:
            raise ValueError(f"--gpus {gpus}: {wrong[0]!r} is no GPU, give their numbers with commas, as in --gpus 0,1")
        if len(set(map(int, named))) < len(named):
            raise ValueError(f"--gpus {gpus}: a GPU is named twice; name each once")
    if jobs is not None and (device == "cuda" or gpus is not None):
        raise ValueError(f"--jobs {jobs} {FOR_CPU}")
    cores = available_cores()
    if jobs is not None and not 1 <= jobs <= cores:
        raise ValueError(f"--jobs {jobs} does not fit: this machine has {cores} cores, give 1 to {cores}")


def gpus_there() -> int:
    """How many torch sees."""
    import torch  # takes seconds, which `require_places` does not

    return torch.cuda.device_count()


def gpu_slots(gpus: Sequence[str], count: int) -> list[Slot]:
    """One slot per GPU, of `count`; ValueError for one that torch does not see."""
    if wrong := [gpu for gpu in gpus if int(gpu) >= count]:
        seen = f"sees {count} (0 to {count - 1})" if count else "sees none: add -device cpu, or run `skipx doctor`"
        raise ValueError(f"there is no GPU {wrong[0]!r}: torch {seen}")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return [Slot("cuda", visible[int(gpu)] if visible != [""] else gpu) for gpu in gpus]


def cpu_slots(jobs: int | None = None) -> list[Slot]:
    """`jobs` slots that share the cores; by default one per core, at most 4.

    Each has the threads that OMP_NUM_THREADS says, if it does, and there are as many slots as then fit.
    """
    cores = available_cores()
    threads = threads_wanted()
    jobs = min(max(1, cores // (threads or 1)), MOST_CPU_JOBS) if jobs is None else jobs
    return [Slot("cpu", threads=threads or cores // jobs)] * jobs


def threads_wanted() -> int | None:
    """The user's OMP_NUM_THREADS; None where it is not set, or lists several."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    return int(value) if is_number(value) and int(value) > 0 else None
