"""Imports torch, nnU-Net and us once, and forks for every program that a client asks for.

`python -m tests.forking.server SOCKET LIFE`: two inherited file descriptors, a listening socket and a pipe at whose end
the tests are; when those are gone, so is the server.
"""

import atexit
import gc
import importlib
import json
import multiprocessing
import os
import pkgutil
import random
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from importlib.metadata import entry_points
from typing import Any, NoReturn

import matplotlib
import nnunetv2.training.nnUNetTrainer as nnUNetTrainers
import numpy as np
import torch

import nnunet_skipx
from nnunet_skipx.training.options.demo import DemoOption
from tests.forking.pools import few_voxels, forked_pools

NEVER = {"nnunet_skipx.cli.__main__"}  # which runs when imported
CLIENT = "SKIPX_TEST_FORK_CLIENT"
PROGRAMS = {script.name: script for script in entry_points(group="console_scripts")}


def import_everything() -> None:
    """What any of the programs imports, and settings that suit tests: one thread, forks instead of fresh processes."""
    for script in PROGRAMS.values():
        if script.module.startswith("nnunetv2."):
            script.load()
    for module in pkgutil.walk_packages(nnunet_skipx.__path__, "nnunet_skipx."):
        if module.name not in NEVER:
            importlib.import_module(module.name)
    for module in pkgutil.walk_packages(nnUNetTrainers.__path__, nnUNetTrainers.__name__ + "."):
        importlib.import_module(module.name)  # as nnU-Net does to find a trainer by its name
    matplotlib.rcParams["savefig.dpi"] = 10  # nnU-Net's progress.png has 16 megapixels, after every epoch
    DemoOption.iterations_per_epoch = 10  # of 40: what its trainings learn, no test of a command looks at
    torch.set_num_threads(1)
    torch.set_num_threads = lambda threads: None  # type: ignore[assignment]  # a fork would wait for the others for ever
    multiprocessing.cpu_count = lambda: 1  # type: ignore[method-assign]  # nnU-Net would take that many threads
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def serve(listener: socket.socket, life: int) -> dict[str, Any]:
    """Fork a keeper for every client; returns only in the program's own process, with what it is to run."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, life], [], [])
        if life in ready:
            end(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            os.close(life)
            return keep(connection)
        connection.close()


def keep(connection: socket.socket) -> dict[str, Any]:
    """Start the program, end it with its client, tell its exit status; returns in the program's process only."""
    length, streams, _, _ = socket.recv_fds(connection, 8, 3)
    data = b""
    while len(data) < int.from_bytes(length, "big"):
        data += connection.recv(1 << 20)
    program = os.fork()
    if program == 0:
        os.setsid()
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return json.loads(data)
    for stream in streams:
        os.close(stream)
    connection.sendall(program.to_bytes(8, "big"))
    ended = os.pidfd_open(program)
    ready, _, _ = select.select([connection, ended], [], [])
    if ended not in ready:  # the client was killed
        os.killpg(program, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    if ended in ready:
        connection.sendall(status.to_bytes(8, "big", signed=True))
    os._exit(0)


def run(request: dict[str, Any]) -> None:
    """Be the program: its arguments, variables, folder."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    random.seed()
    np.random.seed()
    torch.seed()
    sys.executable = os.environ[CLIENT]  # what it starts with Python is forked, too
    _, name, *arguments = request["argv"]
    if name in PROGRAMS:
        sys.argv = [name, *arguments]
        sys.exit(PROGRAMS[name].load()())
    safely = name == "-P"
    while name in ("-P", "-u"):  # -u, which submitit gives, is about buffers
        name, *arguments = arguments
    what, *arguments = arguments
    sys.argv = [name, *arguments]
    if name == "-m":
        if not safely:
            sys.path.insert(0, os.getcwd())
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif name == "-c":
        exec(what, {"__name__": "__main__"})
    else:
        raise ValueError(f"{name!r} is neither a console script nor -m nor -c, behind -P or not")


def status_of(request: dict[str, Any]) -> int:
    """Run the program; what it leaves behind as the interpreter would: a status, a message or a traceback."""
    try:
        run(request)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException as error:  # noqa: BLE001  # whatever a program may end with
        traceback.print_exc()
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        return 1
    return 0


def end(status: int) -> NoReturn:
    """End as the interpreter does, but without taking every module apart, which lasts a second."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    import_everything()
    with forked_pools(), few_voxels():
        end(status_of(serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))))
