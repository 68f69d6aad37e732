"""The rung of Google Cloud: the `sandbox` command that Cloud Run puts into instances started with a sandbox launcher.

A sandbox there has no environment, no secrets, no metadata server and no network of its own. `--allow-egress` is never given:
it would lead past our guard.
"""

from __future__ import annotations

import shutil

from auteryn.tools.sandbox import box
from auteryn.tools.sandbox.box import Job, Ran
from auteryn.tools.sandbox.bubblewrap import limited

PROGRAM = "sandbox"
_ENTER = 'cd "$0" && exec "$@"'


class CloudRun:
    """See `box.Sandbox`."""

    name = "cloud-run"
    gives_network = False

    def unfit(self) -> str | None:
        return (
            None
            if shutil.which(PROGRAM, path=box.HOST_PATH)
            else f"there is no `{PROGRAM}` command: it comes with Cloud Run's sandbox launcher"
        )

    async def run(self, job: Job) -> Ran:
        with box.aside(job) as folder:
            workspace, tmp, inputs = str(job.workspace.resolve()), str(folder / "tmp"), str(folder / "inputs")
            argv = [PROGRAM, "do"]
            for name, value in box.environment(job, tmp, inputs).items():
                argv += ["-e", f"{name}={value}"]
            for path, more in ((workspace, ""), (tmp, ""), (inputs, ",readonly")):
                argv += ["--mount", f"type=bind,source={path},destination={path}{more}"]
            argv += ["sh", "-c", _ENTER, f"{workspace}/{job.cwd}", *limited(job), *job.argv]
            return await box.supervised(box.launcher({"uid": None, "argv": argv}), job)
