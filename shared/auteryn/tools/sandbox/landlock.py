"""The rung for machines that make no namespaces: Landlock and seccomp, built by `launch` without any program or package.

It sees the host's own paths, has no private process list, and gives no network at all: without a network of its own, a way to
the proxy would be a way to everywhere.
"""

from __future__ import annotations

import sys

from auteryn.tools.sandbox import box
from auteryn.tools.sandbox.box import Job, Ran

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


class Landlock:
    """See `box.Sandbox`."""

    name = "landlock"
    gives_network = False

    def unfit(self) -> str | None:
        if sys.platform != "linux":
            return "only Linux has it"
        from auteryn.tools.sandbox.launch import LEAST_ABI, landlock_abi

        found = landlock_abi()
        return None if found >= LEAST_ABI else f"the kernel's Landlock is version {found}, needed is {LEAST_ABI} (Linux 6.12)"

    async def run(self, job: Job) -> Ran:
        with box.aside(job) as folder:
            workspace, tmp, inputs = str(job.workspace.resolve()), str(folder / "tmp"), str(folder / "inputs")
            most = job.limits
            confine = {
                "cwd": f"{workspace}/{job.cwd}",
                "env": box.environment(job, tmp, inputs),
                "read": [*box.readable(), inputs],
                "write": [workspace, tmp],
                "devices": list(DEVICES),
                "limits": {
                    "AS": most.memory_bytes,
                    "FSIZE": most.file_bytes,
                    "NPROC": most.processes,
                    "CPU": max(1, round(most.seconds) * 2),
                    "CORE": 0,
                },
            }
            reach = [workspace, str(folder), *box.readable()]
            uid = box.foreign_uid(job.workspace)
            order = {"uid": uid, "reach": reach, "argv": list(job.argv), "confine": confine}
            return await box.supervised(box.launcher(order), job)
