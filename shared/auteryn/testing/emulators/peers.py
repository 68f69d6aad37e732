"""Whose process is at the other end of a connection on this machine. As Linux tells it in `/proc`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LOCAL, _INODE = 1, 9
"""Columns of `/proc/net/tcp`."""


def session_of(peer: str) -> int | None:
    """The session of the process behind `ipv4:127.0.0.1:PORT`, a gRPC server's name for it; None if it has gone."""
    if not _PROC.is_dir():
        raise RuntimeError("whose connection it is can only be told on Linux")
    port = int(peer.rpartition(":")[2])
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for link in _PROC.glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(link) in sockets:  # noqa: PTH115 - no path at all
                return os.getsid(int(link.parts[2]))
    return None


def _inodes(port: int) -> Iterator[str]:
    """A client's socket may speak both versions: then it is listed as one of IPv6."""
    for table in ("tcp", "tcp6"):
        for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
            columns = line.split()
            if int(columns[_LOCAL].rpartition(":")[2], 16) == port and columns[_INODE] != "0":
                yield columns[_INODE]
