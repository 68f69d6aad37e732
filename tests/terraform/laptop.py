"""A machine on which the release tools are real and what they reach outside is not: each call of a played program is noted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from terraform.folder import PROJECT, Folder, terraform

PLAYED = """#!{python}
import json, os, sys
with open({notes!r}, "a") as notes:
    notes.write(json.dumps([{name!r}, *sys.argv[1:]]) + "\\n")
{act}
"""
BACKEND = """
argv = [one for one in sys.argv[1:] if not one.startswith("-backend-config=") and one not in ("-migrate-state", "-force-copy")]
if os.path.exists("backend_override.tf"):
    os.remove("backend_override.tf")
os.execv({real!r}, ["terraform", *argv])
"""
"""The state stays in the folder: reaching its bucket takes an account."""


FAILING = """
import pathlib, subprocess
ended = subprocess.run([{real!r}, *sys.argv[1:]]).returncode
mark = pathlib.Path({mark!r})
if sys.argv[1] == "apply" and not mark.exists():
    mark.touch()
    sys.exit("Error waiting to create Service: revision is not ready and cannot serve traffic")
sys.exit(ended)
"""


@dataclass(frozen=True)
class Laptop:
    folder: Folder
    tools: Path

    def plays(self, name: str, act: str = "", *, at: Path | None = None) -> None:
        """From now on this program notes what it was asked, and does this (Python)."""
        program = at or self.tools / name
        program.parent.mkdir(parents=True, exist_ok=True)
        text = PLAYED.format(python=sys.executable, notes=str(self.notes), name=name, act=act)
        program.write_text(text)
        program.chmod(0o755)

    def keeps_its_state(self) -> None:
        self.plays("terraform", BACKEND.format(real=str(Path(shutil.which(terraform()) or ""))))

    def fails_to_apply_once(self) -> None:
        """The next `terraform apply` does what it should and then fails, as where a container does not start."""
        self.plays(
            "terraform", FAILING.format(real=str(Path(shutil.which(terraform()) or "")), mark=str(self.tools / "failed"))
        )

    def answers(self, code: int) -> None:
        """From now on `curl` ends so."""
        self.plays("curl", f"sys.exit({code})")

    @property
    def notes(self) -> Path:
        return self.tools / "notes"

    def calls(self, name: str) -> list[list[str]]:
        """What a played program was asked, in order."""
        noted = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [argv for program, *argv in map(json.loads, noted) if program == name]

    def environ(self, **more: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        return {
            **inherited,
            **self.folder.environ,
            "CHECKPOINT_DISABLE": "1",
            "GOGC": "800",
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "PROJECT_ID": PROJECT,
            "SMOKE_PAUSE_SECONDS": "0",
            "SMOKE_TRIES": "2",
            **more,
        }

    def sh(self, script: str, at: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """As a builder runs a step; questions are answered with yes."""
        return subprocess.run(
            ["bash", "-euc", script],
            cwd=at,
            env=environ,
            input="yes\n",
            capture_output=True,
            text=True,
            check=False,
        )

    def release(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.folder.path / "release"), *arguments]
        return subprocess.run(command, env=self.environ(**settings), capture_output=True, text=True, check=False)

    def image(self) -> str | None:
        return self.folder.world().outputs.get("image")
