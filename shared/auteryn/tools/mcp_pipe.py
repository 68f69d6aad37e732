"""Stands between a tool server and us: what it says passes, but a line that does not end ends the server.

    python mcp_pipe.py LONGEST COMMAND ARGUMENTS…

The client reads a line whole before it looks at it, so a stranger could fill this machine's memory with a single one. Stands
alone: nothing of the package is imported in here.
"""

from __future__ import annotations

import os
import subprocess
import sys

CHUNK_BYTES = 1 << 16


def main(longest: int, command: list[str]) -> int:
    """The server's exit code; 1 where it said too much or nobody listens any more."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE)  # our stdin is its stdin
    assert server.stdout
    line = 0
    """Bytes of the line that has not ended yet."""
    cut = False
    """It said too much or nobody listens: no good end, also of a server that had already come to its own."""
    try:
        while chunk := os.read(server.stdout.fileno(), CHUNK_BYTES):
            first, last = chunk.find(b"\n"), chunk.rfind(b"\n")
            if cut := line + (len(chunk) if first < 0 else first) > longest:
                break
            line = line + len(chunk) if last < 0 else len(chunk) - last - 1
            while chunk:
                chunk = chunk[os.write(1, chunk) :]
    except BrokenPipeError:
        cut = True
    if cut:
        server.kill()
    return 0 if server.wait() == 0 and not cut else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
