"""A real Slurm of one node on loopback: munged, slurmctld and slurmd, with all their files in one folder.

Jobs of the partition `high` preempt those of `main`, which are told, have some seconds of grace and are requeued.

`python -m tests.end_to_end.slurm_node FOLDER` brings it up until it is interrupted, and prints what to export.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
SECONDS_TO_START = 60

CONFIGURATION = """\
ClusterName=skipx
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ReturnToService=2
KillWait=5
SchedulerParameters=sched_interval=1,batch_sched_delay=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=2
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def why_not() -> str | None:
    """Why Slurm cannot be brought up here, or None."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if missing := [program for program in PROGRAMS if shutil.which(program, path=path) is None]:
        return f"{', '.join(missing)} not installed (Debian: slurmctld slurmd slurm-client munge)"
    return None if os.geteuid() == 0 else "slurmd starts jobs as their user, which takes root"


@contextmanager
def single_node_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Inside, Slurm runs; yields the environment in which sbatch and scontrol talk to it."""
    configuration = write_files(folder)
    environment = {**os.environ, "SLURM_CONF": str(configuration), "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    munge = [
        "munged",
        "--foreground",
        "--force",
        f"--key-file={folder}/munge.key",
        f"--socket={folder}/munge.socket",
        f"--pid-file={folder}/munge.pid",
        f"--seed-file={folder}/munge.seed",
        f"--log-file={folder}/munge.log",
    ]
    with ExitStack() as stack:
        for command in (munge, ["slurmctld", "-D", "-i"], ["slurmd", "-D"]):
            stack.enter_context(daemon(command, folder, environment))
            time.sleep(1)
        wait_until_idle(folder, environment)
        yield environment


def write_files(folder: Path) -> Path:
    """Key, folders and configuration; returns the latter's path."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    content = CONFIGURATION.format(
        host=socket.gethostname().split(".")[0],
        folder=folder,
        cpus=os.cpu_count(),
        controller_port=free_port(),
        daemon_port=free_port(),
    )
    path = folder / "slurm.conf"
    path.write_text(content)
    return path


@contextmanager
def daemon(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """A program that runs inside and is ended afterwards."""
    with (folder / f"{command[0]}.out").open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until_idle(folder: Path, environment: dict[str, str]) -> None:
    """Return when the node takes jobs; RuntimeError with what the daemons said if it does not."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        command = ["sinfo", "-h", "-o", "%T"]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if set(result.stdout.split()) == {"idle"}:
            return
        time.sleep(0.5)
    said = "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in sorted(folder.glob("*.out")))
    raise RuntimeError(f"Slurm did not start within {SECONDS_TO_START} s\n{result.stdout}{result.stderr}\n{said}")


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    with single_node_slurm(Path(sys.argv[1]).resolve()) as answer:
        print(f"export SLURM_CONF={answer['SLURM_CONF']}", flush=True)
        try:
            time.sleep(10**9)
        except KeyboardInterrupt:
            print("ended")
