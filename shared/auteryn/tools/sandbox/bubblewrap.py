"""The rung that stands on most Linux machines: namespaces, made by bubblewrap."""

from __future__ import annotations

import shutil

from auteryn.tools.sandbox import box
from auteryn.tools.sandbox.box import Job, Ran

WORK, TMP, INPUTS, SOCKET = "/workspace", "/tmp", "/inputs", "/run/egress.sock"
TMP_BYTES = 256 * box.MB
PROXY_PORT = 3128


class Bubblewrap:
    """See `box.Sandbox`."""

    name = "bubblewrap"
    gives_network = True

    def unfit(self) -> str | None:
        missing = [program for program in ("bwrap", "prlimit") if shutil.which(program, path=box.HOST_PATH) is None]
        return f"there is no {missing[0]}: apt-get install bubblewrap util-linux" if missing else None

    async def run(self, job: Job) -> Ran:
        with box.aside(job) as folder:
            reach = [str(job.workspace.resolve()), str(folder), *box.readable(), *([str(job.egress)] if job.egress else [])]
            order = {"uid": box.foreign_uid(job.workspace), "reach": reach, "argv": self._argv(job, str(folder))}
            return await box.supervised(box.launcher(order), job)

    def _argv(self, job: Job, folder: str) -> list[str]:
        argv = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--new-session"]
        argv += ["--die-with-parent", "--clearenv", "--hostname", "sandbox"]
        for name, value in {**box.environment(job, TMP, INPUTS), **(proxied(PROXY_PORT) if job.egress else {})}.items():
            argv += ["--setenv", name, value]
        argv += ["--proc", "/proc", "--dev", "/dev", "--size", str(TMP_BYTES), "--perms", "1777", "--tmpfs", TMP]
        for path in box.readable():  # after the tmpfs: this installation itself may lie below /tmp
            argv += ["--ro-bind", path, path]
        for name in box.ACCOUNTS:
            argv += ["--ro-bind", f"{folder}/etc/{name}", f"/etc/{name}"]
        argv += ["--ro-bind", f"{folder}/inputs", INPUTS, "--bind", str(job.workspace.resolve()), WORK]
        if job.egress:
            argv += ["--bind", str(job.egress), SOCKET]
        return [*argv, "--chdir", f"{WORK}/{job.cwd}", "--", *limited(job), *self._command(job)]

    def _command(self, job: Job) -> list[str]:
        return [*(forwarder(PROXY_PORT, SOCKET) if job.egress else []), *job.argv]


def limited(job: Job) -> list[str]:
    """Limits on what follows; set inside, where the count of processes begins at none."""
    most = job.limits
    return [
        "prlimit",
        f"--as={most.memory_bytes}",
        f"--fsize={most.file_bytes}",
        f"--nproc={most.processes}",
        f"--cpu={max(1, round(most.seconds) * 2)}",
        "--core=0",
        "--",
    ]


def forwarder(port: int, socket: str) -> list[str]:
    """Makes the proxy's unix socket a port on the sandbox's own loopback, and becomes what follows."""
    from auteryn.tools.sandbox import forward

    return [box.python(), "-I", "-S", "-B", str(forward.__file__), str(port), socket]


def proxied(port: int) -> dict[str, str]:
    """The environment that sends programs to the proxy."""
    url = f"http://127.0.0.1:{port}"
    return dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), url)
