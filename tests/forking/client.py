"""Has the server run a program and acts as if it were that program: its output, its exit status, its signals.

`client.py NAME ARGUMENTS...` runs the console script NAME; `client.py -m MODULE ...` and `-c CODE ...`, also behind -P,
run what Python would. Standard library only: it must start in a few milliseconds.
"""

import contextlib
import json
import os
import signal
import socket
import sys
from types import FrameType

ADDRESS = "SKIPX_TEST_FORK_SERVER"
KILL = signal.SIGQUIT  # kills the program's group, and ends this process when the program has ended


def ask(connection: socket.socket) -> int:
    """Send what is to be run, and receive its process id."""
    request = {"argv": sys.argv, "environment": dict(os.environ), "folder": os.getcwd()}
    data = json.dumps(request).encode()
    socket.send_fds(connection, [len(data).to_bytes(8, "big")], [0, 1, 2])
    connection.sendall(data)
    return int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")


def main() -> None:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ[ADDRESS])
    process = ask(connection)

    def pass_on(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself, its status is on the way
            if number in (signal.SIGINT, KILL):
                os.killpg(process, signal.SIGKILL if number == KILL else number)
            else:
                os.kill(process, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2, KILL):
        signal.signal(number, pass_on)
    status = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big", signed=True)
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
