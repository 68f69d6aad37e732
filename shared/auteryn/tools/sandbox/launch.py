"""Stands between the engine and a command: drops the user, sets limits, confines, and takes everything down at the end.

    import launch; launch.main({"uid": 200001, "reach": ["/usr", …], "argv": ["bwrap", …]})

`argv` is a wall itself (`bwrap …`), or with `confine` the command: then Landlock bounds what it opens and whom it signals, and
seccomp takes away sockets and the kernel's odd corners. Whatever is left behind falls to this process, which ends it and is
over only when nothing is alive. Stands alone and starts in milliseconds: it imports nothing of the package, and is imported
itself, because a script would be compiled anew each time.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import stat

TYPE_CHECKING = False  # as type checkers know it: these take longer to import than the rest to run
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal

_PDEATHSIG, _SECCOMP, _SUBREAPER, _NO_NEW_PRIVS = 1, 22, 36, 38
_NEWNS, _BIND, _REC, _PRIVATE = 0x20000, 4096, 16384, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def main(order: dict[str, Any]) -> None:
    engine = os.getppid()
    uid: int | None = order.get("uid")
    if uid is not None:
        make_reachable(order["reach"], uid)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.umask(0o022)
    keep_watch(order, engine)


# ---- paths below folders that only root may enter -------------------------------------------------------------


def make_reachable(paths: list[str], uid: int) -> None:
    """In a mount namespace of its own: a folder that the user may not enter shows nothing but what it has to reach."""
    closed = {path: shut for path in paths if (shut := shut_above(path, uid))}
    if not closed or _libc.unshare(_NEWNS) != 0:
        return  # without the right to mount, the wall's own attempt says what cannot be reached
    mount("none", "/", "", _REC | _PRIVATE)
    held = {path: os.open(path, os.O_PATH) for path in closed}
    for shut in sorted(set(closed.values())):
        mount("tmpfs", shut, "tmpfs", 0, "mode=755")
    for path, fd in held.items():
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.makedirs(path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        mount(f"/proc/self/fd/{fd}", path, "", _BIND | _REC)
        os.close(fd)


def shut_above(path: str, uid: int) -> str:
    """The highest folder above the path that the user may not enter; empty if there is none."""
    parts = path.split("/")
    for depth in range(2, len(parts)):
        above = "/".join(parts[:depth])
        at = os.stat(above)
        if not at.st_mode & 1 and at.st_uid != uid:
            return above
    return ""


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    done = _libc.mount(source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None)
    _checked(done, f"mount {target}")


# ---- the wall -----------------------------------------------------------------------------------------------


def keep_watch(order: dict[str, Any], engine: int) -> None:
    """Run the command; end all that is left of it when it ends, when we are told to end, or when the engine dies."""
    _libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, NEWS)  # told one by one below: none is missed
    _libc.prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != engine:
        return
    child = os.fork()
    if child == 0:
        become(order)
    code = -signal.SIGKILL
    while signal.sigwait(NEWS) == signal.SIGCHLD:
        ended = dict(iter(reaped, None))
        if child in ended:
            code = os.waitstatus_to_exitcode(ended[child])
            break
    end_all()
    os._exit(128 - code if code < 0 else code)


NEWS = {signal.SIGTERM, signal.SIGCHLD}


def reaped() -> tuple[int, int] | None:
    """A child that has ended, and how; None if there is none now."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def end_all() -> None:
    """Whoever loses its parent becomes our child: kill children until there are none."""
    while True:
        with open("/proc/thread-self/children") as listed:
            for pid in listed.read().split():
                os.kill(int(pid), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def become(order: dict[str, Any]) -> None:
    """In the child: never returns."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, NEWS)
        os.setsid()
        _libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if "confine" in order:
            confined(order["confine"], same_user=order.get("uid") is None)
        os.execvp(order["argv"][0], order["argv"])
    except BaseException as error:  # noqa: BLE001 - a child must not go on as its parent
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(127)


def confined(confine: dict[str, Any], *, same_user: bool) -> None:
    os.chdir(confine["cwd"])
    os.environ.clear()
    os.environ.update(confine["env"])
    set_limits(confine["limits"], same_user=same_user)
    _checked(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    landlock(confine["read"], confine["write"], confine["devices"])
    seccomp(silent=SILENT if same_user else {})


def set_limits(limits: dict[str, int], *, same_user: bool) -> None:
    others = _tasks_of(os.getuid()) if same_user else 0
    for name, value in limits.items():
        most = value + others if name == "NPROC" else value
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def _tasks_of(uid: int) -> int:
    """Processes and threads a user has: NPROC counts them all."""
    count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{pid}").st_uid == uid:
                count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue
    return count


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


# ---- Landlock: what may be opened, whom a signal may reach (man 7 landlock) ---------------------------------------

LEAST_ABI = 6
"""From this one on signals and abstract sockets are bounded too (Linux 6.12)."""
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_ALL = (1 << 16) - 1
_OF_FILES = _EXECUTE | _WRITE | _READ | 1 << 14 | 1 << 15
"""Rights a file can have: also truncate, and ioctl on devices."""


class _Rules(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("access", ctypes.c_uint64), ("fd", ctypes.c_int32)]


def landlock_abi() -> int:
    """0: this kernel has none, or it is switched off."""
    return max(0, _libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1))


def landlock(read: list[str], write: list[str], devices: list[str]) -> None:
    rules = _Rules(fs=_ALL, net=3, scoped=3)
    ruleset = _checked(_libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0), "landlock")
    for paths, access in ((read, _EXECUTE | _READ | _LIST), (write, _ALL), (devices, _READ | _WRITE | 1 << 14 | 1 << 15)):
        for path in paths:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            mine = access if stat.S_ISDIR(os.fstat(fd).st_mode) else access & _OF_FILES
            rule = _Beneath(access=mine, fd=fd)
            _checked(_libc.syscall(_ADD, ruleset, 1, ctypes.byref(rule), 0), f"landlock {path}")
            os.close(fd)
    _checked(_libc.syscall(_RESTRICT, ruleset, 0), "landlock")
    os.close(ruleset)


# ---- seccomp: which calls the kernel does not take from here (man 2 seccomp) ---------------------------------------

_X86, _ARM = 0xC000_003E, 0xC000_00B7
DENIED: dict[str, tuple[int, int]] = {
    "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fsopen": (430, 430), "fspick": (433, 433), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425), "kexec_load": (246, 104), "keyctl": (250, 219), "mount": (165, 40),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "mq_open": (240, 180), "msgget": (68, 186),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "perf_event_open": (298, 241), "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "request_key": (249, 218), "semget": (64, 190), "setns": (308, 268), "shmat": (30, 196), "shmget": (29, 194),
    "socket": (41, 198), "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282),
}  # fmt: skip
"""Answered EPERM. Numbers on x86-64 and on 64-bit ARM."""
SILENT: dict[str, tuple[int, int]] = {
    "chmod": (90, -1), "chown": (92, -1), "fchmodat": (268, 53), "fchmodat2": (452, 452), "fchownat": (260, 54),
    "futimesat": (261, -1), "lchown": (94, -1), "lremovexattr": (198, 15), "lsetxattr": (189, 6), "removexattr": (197, 14),
    "setxattr": (188, 5), "utime": (132, -1), "utimensat": (280, 88), "utimes": (235, -1),
}  # fmt: skip
"""Landlock does not bound these, and the engine's files are the same user's: they succeed and do nothing."""
_CLONE, _CLONE3 = (56, 220), (435, 435)
_NEW_NAMESPACES = 0x7E02_0000
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000


class _Filter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Filter))]


def seccomp(silent: dict[str, tuple[int, int]]) -> None:
    arm = os.uname().machine == "aarch64"
    load, equal, at_least, any_of, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    steps = [(load, 0, 0, 4), (equal, 1, 0, _ARM if arm else _X86), (answer, 0, 0, _ERRNO | errno.EPERM), (load, 0, 0, 0)]
    if not arm:  # the x32 calls have other numbers
        steps += [(at_least, 0, 1, 0x4000_0000), (answer, 0, 0, _ERRNO | errno.EPERM)]
    calls = [(numbers[arm], errno.EPERM) for numbers in DENIED.values()] + [(numbers[arm], 0) for numbers in silent.values()]
    calls.append((_CLONE3[arm], errno.ENOSYS))  # its flags lie in memory; the C library falls back to clone
    for number, code in calls:
        if number >= 0:
            steps += [(equal, 0, 1, number), (answer, 0, 0, _ERRNO | code)]
    steps += [(equal, 0, 3, _CLONE[arm]), (load, 0, 0, 16), (any_of, 0, 1, _NEW_NAMESPACES)]
    steps += [(answer, 0, 0, _ERRNO | errno.EPERM), (answer, 0, 0, _ALLOW)]
    filters = (_Filter * len(steps))(*(_Filter(*step) for step in steps))
    program = _Program(len(steps), ctypes.cast(filters, ctypes.POINTER(_Filter)))
    _checked(_libc.prctl(_SECCOMP, 2, ctypes.byref(program), 0, 0), "seccomp")
