"""Runs inside a sandbox and tries what it must not be able to do: read a secret, reach a listener, write outside.

    python canary.py SECRET PORT OUTSIDE

Prints what succeeded, as words; `ran` and `kept` always should. Stands alone.
"""

from __future__ import annotations

import _socket  # socket itself takes 8 ms to import, and somebody waits for this
import sys


def main(secret: str, port: int, outside: str) -> None:
    done = ["ran"]
    try:
        with open("canary.txt", "w") as file:
            file.write("kept")
        done.append("kept")
    except OSError:
        pass
    try:
        with open(secret) as file:
            file.read()
        done.append("read a file of the host")
    except OSError:
        pass
    try:
        out = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        out.settimeout(2)
        out.connect(("127.0.0.1", port))
        done.append("reached a listener of the host")
    except OSError:
        pass
    try:
        with open(outside, "w") as file:
            file.write("x")
        done.append("wrote outside")
    except OSError:
        pass
    print("\n".join(done))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
