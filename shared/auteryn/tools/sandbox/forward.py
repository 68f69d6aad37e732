"""Runs inside a sandbox: a port of its own loopback leads to the egress proxy's socket, the only way out.

    python forward.py PORT SOCKET COMMAND…

Stands alone: nothing of the package is imported in there.
"""

from __future__ import annotations

import os
import socket
import sys
import threading


def main(port: int, path: str, argv: list[str]) -> None:
    """Listen, leave the forwarding to a child, become the command."""
    listener = socket.create_server(("127.0.0.1", port))
    if os.fork() == 0:
        serve(listener, path)
    listener.close()
    os.execvp(argv[0], argv)


def serve(listener: socket.socket, path: str) -> None:
    while True:
        near, _ = listener.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(path)
        except OSError:
            near.close()
            far.close()
            continue
        for source, goal in ((near, far), (far, near)):
            threading.Thread(target=copy, args=(source, goal), daemon=True).start()


def copy(source: socket.socket, goal: socket.socket) -> None:
    try:
        while piece := source.recv(1 << 16):
            goal.sendall(piece)
        goal.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, goal):
            end.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
