"""What our networks and `_gpuaug` cost on this machine's GPU, within a given time; fills the tables of docs/gpu.md.

    python -m benchmarks.gpu                                # 10 minutes, most important first, into gpu_rows.jsonl
    python -m benchmarks.gpu --part cores                   # a run of its own: training with 4, 8 and 16 CPU cores
    python -m benchmarks.gpu --rows gpu_rows.jsonl --write  # measure nothing, fill the tables
    python -m benchmarks.gpu --rehearsal                    # every branch at toy sizes, on a CPU

Rows are written as they are measured. A further run on the same machine goes on where the last one ended.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

STARTED = time.monotonic()  # before the imports, which take half a minute on a bare machine
os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # whoever asks for GPUs must not start CUDA here: the rows are forks

from benchmarks.gpu.rows import PARTS  # noqa: E402
from benchmarks.gpu.run import fill_page, measure_rows, printed, rows_of  # noqa: E402


def main(argv: list[str] | None = None) -> None:
    """Measure, then print the tables, and write them into the docs if wanted."""
    args = arguments(argv)
    if args.rows is None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `timeout` leaves no process behind
        with tempfile.TemporaryDirectory(prefix="skipx_gpu_", ignore_cleanup_errors=True) as folder:
            measure_rows(args, STARTED, Path(folder))
    path = args.rows or args.out
    print(printed(rows_of(path)))
    if args.write:
        fill_page(path)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="for all, imports included")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), help="default: all, in this order")
    parser.add_argument("--device", choices=["cuda", "cpu"], help="default: cuda, for a rehearsal cpu")
    parser.add_argument("--out", type=Path, default=Path("gpu_rows.jsonl"), help="file that the rows are added to")
    parser.add_argument("--rows", type=Path, help="measure nothing, take the rows of this file")
    parser.add_argument("--write", action="store_true", help="fill the tables of docs/gpu.md")
    parser.add_argument("--rehearsal", action="store_true", help="toy sizes: all branches, no figures")
    args = parser.parse_args(argv)
    args.device = args.device or ("cpu" if args.rehearsal else "cuda")
    if args.write and args.rehearsal:
        parser.error("--write with --rehearsal: a rehearsal has no figures for the docs; leave one of them out")
    return args


if __name__ == "__main__":
    main()
