"""What a sandbox is asked and what it answers, and the running of one process that leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from msgspec import Struct, field

from auteryn.errors import Unavailable
from auteryn.schema.record import Record

MB = 1 << 20
HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where the walls themselves are found: nothing of the engine's environment."""
END_SECONDS = 5.0
"""For a process that was told to end; then it is killed."""
LEAST_FREE_BYTES = 64 * MB
"""Below this much free disk a process is ended: it must not take the last block from the engine."""
LOOK_SECONDS = 0.5
FIRST_UID, UIDS = 200_000, 50_000
"""Where the engine is root, each workspace has a user of its own: no file of another is its, and NPROC counts only its own."""


class Limits(Record):
    """How much one call may use."""

    seconds: float = 60.0
    memory_bytes: int = 1536 * MB
    """Address space of each process."""
    file_bytes: int = 100 * MB
    """Largest file it may write."""
    processes: int = 64
    output_bytes: int = 1 * MB
    """Kept of stdout, and of stderr; the middle is left out."""


class Ran(Record):
    """How it ended."""

    exit_code: int
    """128 + n: ended by signal n."""
    stdout: bytes
    stderr: bytes
    left_out: int = 0
    """Bytes of output that were not kept."""
    seconds: float = 0.0
    stopped: str = ""
    """Why it was ended from outside: `timeout`, `disk`; empty if it ended by itself."""


class Job(Struct, frozen=True):
    """One command in one workspace."""

    argv: Sequence[str]
    workspace: Path
    """A folder; read and written, and where the command starts."""
    cwd: str = ""
    """Below the workspace."""
    inputs: Mapping[str, bytes] | None = None
    """Files that are there for this call only, at `$INPUTS/<name>`."""
    env: Mapping[str, str] | None = None
    stdin: bytes = b""
    limits: Limits = field(default_factory=Limits)
    egress: Path | None = None
    """Unix socket of the egress proxy; None: no network at all."""


class Sandbox(Protocol):
    """One rung of the ladder."""

    name: str
    gives_network: bool
    """Whether `Job.egress` is possible here."""

    def unfit(self) -> str | None:
        """Why this rung cannot stand here, as far as can be seen without trying; None: try it."""
        ...

    async def run(self, job: Job) -> Ran:
        """The command run to its end, or to its limits. Cancelled, it returns when nothing of it is alive."""
        ...


# ---- what every rung gives its command -------------------------------------------------------------------------

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32")
SETTINGS = (
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/ssl",
)
"""What programs read to work; no secret among it, and nobody of this machine."""
ACCOUNTS = {
    "passwd": "sandbox:x:{uid}:{gid}:sandbox:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "sandbox:x:{gid}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
}
"""What `/etc` says where a wall can show a file of its own: only whom the command runs as."""


def python() -> str:
    """The interpreter code runs in: the engine's own, with its libraries."""
    return sys.executable


def readable() -> list[str]:
    """Folders and files of the host that a command sees, read only."""
    own = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent.parent), str(Path(__file__).parent)}
    found = [path for path in (*SYSTEM, *SETTINGS, *sorted(own)) if os.path.lexists(path)]
    return [path for path in found if not any(path != other and path.startswith(f"{other}/") for other in found)]


def environment(job: Job, tmp: str, inputs: str) -> dict[str, str]:
    """Everything the command's environment holds; nothing of ours."""
    bins = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    return {
        "HOME": tmp,
        "INPUTS": inputs,
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",  # threads count against NPROC, and each reserves address space
        "PATH": ":".join(dict.fromkeys(bins)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": tmp,
        **(job.env or {}),
    }


def foreign_uid(workspace: Path) -> int | None:
    """Whom a command runs as: somebody else than root, itself where the engine is not root."""
    return FIRST_UID + crc32(os.fsencode(workspace.resolve())) % UIDS if os.geteuid() == 0 else None


@contextmanager
def aside(job: Job) -> Generator[Path]:
    """A folder for one call: `tmp`, `inputs`, `etc`. Gone afterwards, whatever lies in it."""
    folder = Path(tempfile.mkdtemp(prefix="auteryn-sandbox-"))
    uid = foreign_uid(job.workspace)
    try:
        for part in ("tmp", "inputs", "etc"):
            (folder / part).mkdir()
        for name, text in ACCOUNTS.items():
            user, group = (uid, uid) if uid is not None else (os.getuid(), os.getgid())
            (folder / "etc" / name).write_text(text.format(uid=user, gid=group))
        for name, body in (job.inputs or {}).items():
            (folder / "inputs" / name).write_bytes(body)
        if uid is not None:
            for path in (folder, folder / "tmp"):
                os.chown(path, uid, uid)
            hand_over(job.workspace, uid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def hand_over(workspace: Path, uid: int) -> None:
    """Make the files the command's own, never following a link."""
    for _, folders, files, fd in os.fwalk(workspace, follow_symlinks=False):
        if os.fstat(fd).st_uid != uid:
            os.fchown(fd, uid, uid)
        for name in (*files, *(one for one in folders if _is_link(one, fd))):
            with suppress(FileNotFoundError):
                if os.stat(name, dir_fd=fd, follow_symlinks=False).st_uid != uid:
                    os.chown(name, uid, uid, dir_fd=fd, follow_symlinks=False)


def _is_link(name: str, fd: int) -> bool:
    try:
        os.readlink(name, dir_fd=fd)
    except OSError:
        return False
    return True


# ---- one process -----------------------------------------------------------------------------------------------


def launcher(order: Mapping[str, object]) -> list[str]:
    """The command that drops the user, makes paths reachable for it, and takes everything down at the end."""
    folder = str(Path(__file__).parent)  # imported there only: it needs ctypes
    begin = f"import sys; sys.path.append({folder!a}); import launch; launch.main({order!a})"
    return [python(), "-I", "-S", "-B", "-c", begin]


async def supervised(argv: Sequence[str], job: Job) -> Ran:
    """Run a launcher to the end of everything it started."""
    began = time.monotonic()
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": HOST_PATH},
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"the sandbox does not start: {error}") from error
    assert process.stdin and process.stdout and process.stderr
    out, err = _Kept(job.limits.output_bytes), _Kept(job.limits.output_bytes)
    work = asyncio.gather(_fed(process.stdin, job.stdin), out.take(process.stdout), err.take(process.stderr), process.wait())
    stopped = ""
    try:
        stopped = await _watched(work, job, began)
    finally:
        if process.returncode is None:
            await asyncio.shield(_ended(process))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    code = process.returncode or 0
    if code and not stopped and _disk_is_full(job):
        stopped = "disk"  # it was faster than our look, and failed by it
    return Ran(
        exit_code=128 - code if code < 0 else code,
        stdout=out.body(),
        stderr=err.body(),
        left_out=out.left_out + err.left_out,
        seconds=round(time.monotonic() - began, 3),
        stopped=stopped,
    )


async def _watched(work: asyncio.Future[Any], job: Job, began: float) -> str:
    """Wait for the end; why it has to be brought about, if it has to."""
    while True:
        left = began + job.limits.seconds - time.monotonic()
        done, _ = await asyncio.wait([work], timeout=max(0.0, min(left, LOOK_SECONDS)))
        if done:
            return ""
        if left <= LOOK_SECONDS and time.monotonic() >= began + job.limits.seconds:
            return "timeout"
        if _disk_is_full(job):
            return "disk"


def _disk_is_full(job: Job) -> bool:
    return shutil.disk_usage(job.workspace).free < LEAST_FREE_BYTES


async def _ended(process: asyncio.subprocess.Process) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            process.send_signal(how)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
                return


async def _fed(stdin: asyncio.StreamWriter, body: bytes) -> None:
    with suppress(OSError):  # a command need not read what it is given
        stdin.write(body)
        await stdin.drain()
    stdin.close()


class _Kept:
    """Output as it comes: its beginning and its end."""

    _PIECE = 1 << 16

    def __init__(self, most: int) -> None:
        self._head, self._tail = bytearray(), deque[bytes]()
        self._most_head, self._most_tail = most * 3 // 4, most // 4
        self._in_tail = self.left_out = 0

    async def take(self, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(self._PIECE):
            room = self._most_head - len(self._head)
            self._head += piece[:room] if room > 0 else b""
            self._keep_end(piece[max(0, room) :])

    def _keep_end(self, piece: bytes) -> None:
        if not piece:
            return
        self._tail.append(piece)
        self._in_tail += len(piece)
        while self._tail and self._in_tail - len(self._tail[0]) >= self._most_tail:
            gone = len(self._tail.popleft())
            self._in_tail -= gone
            self.left_out += gone

    def body(self) -> bytes:
        mark = f"\n[… {self.left_out:,} bytes left out …]\n".encode() if self.left_out else b""
        return bytes(self._head) + mark + b"".join(self._tail)
