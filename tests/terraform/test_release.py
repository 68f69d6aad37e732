"""`./release` rolls an image out, and back if nobody answers. Terraform is real; only `curl` is told what to say."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from terraform.folder import DIGEST, PROJECT, SOURCE, Folder, copied

OTHER = DIGEST.replace("ab" * 32, "cd" * 32)


@dataclass(frozen=True)
class Laptop:
    folder: Folder
    tools: Path

    def release(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TF_")} | {
            **self.folder.environ,
            "CHECKPOINT_DISABLE": "1",
            "GOGC": "800",
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "PROJECT_ID": PROJECT,
            "SMOKE_PAUSE_SECONDS": "0",
            "SMOKE_TRIES": "2",
            **settings,
        }
        command = [str(self.folder.path / "release"), *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)

    def answers(self, code: int) -> None:
        """From now on `curl` ends so, and notes what it was asked."""
        curl = self.tools / "curl"
        curl.write_text(f'#!/bin/sh\necho "$@" >>"{self.asked}"\nexit {code}\n')
        curl.chmod(0o755)

    @property
    def asked(self) -> Path:
        return self.tools / "asked"

    def image(self) -> str | None:
        return self.folder.world().outputs.get("image")


@pytest.fixture
def laptop(environ: dict[str, str], tmp_path: Path) -> Laptop:
    tools = tmp_path / "tools"
    tools.mkdir()
    return Laptop(copied(tmp_path / "infra", environ), tools)


def test_a_release_that_answers_stays_and_one_that_does_not_goes_back(laptop: Laptop) -> None:
    laptop.answers(0)
    good = laptop.release("roll-out", DIGEST)
    assert good.returncode == 0, good.stdout[-3000:] + good.stderr
    assert laptop.image() == DIGEST
    assert laptop.asked.read_text().count("https://auteryn-api-123456789012.us-central1.run.app/health") == 1

    laptop.answers(22)
    bad = laptop.release("roll-out", OTHER)
    assert bad.returncode == 1
    assert f"back to {DIGEST}" in bad.stderr
    assert laptop.image() == DIGEST
    assert {one["template"][0]["containers"][0]["image"] for one in laptop.folder.world().of("cloud_run_v2_service")} == {
        DIGEST
    }


def test_a_tag_is_refused_before_anything_is_made(laptop: Laptop) -> None:
    laptop.answers(0)

    refused = laptop.release("roll-out", "us-central1-docker.pkg.dev/an-example-project/auteryn/auteryn:v1")

    assert refused.returncode == 1
    assert "image must name a digest" in refused.stderr + refused.stdout
    assert not laptop.asked.exists()
    assert not (laptop.folder.path / "terraform.tfstate").exists()


def test_who_asks_for_nothing_is_told_how(laptop: Laptop) -> None:
    told = laptop.release()

    assert told.returncode == 2
    for word in ("roll-out", "smoke", "move-state", "PROJECT_ID", "STATE_BUCKET"):
        assert word in told.stdout


def test_the_state_goes_where_it_is_told(laptop: Laptop) -> None:
    """Up to the bucket: reaching it takes an account."""
    (laptop.tools / "terraform").write_text('#!/bin/sh\necho "$@"\n')
    (laptop.tools / "terraform").chmod(0o755)

    said = laptop.release("move-state", STATE_BUCKET="a-bucket").stdout

    assert said.split() == [
        "init",
        "-input=false",
        "-backend-config=bucket=a-bucket",
        "-backend-config=prefix=auteryn",
        "-migrate-state",
        "-force-copy",
    ]
    assert 'backend "gcs"' in (laptop.folder.path / "backend_override.tf").read_text()


def test_the_script_is_there_to_be_run() -> None:
    assert os.access(SOURCE / "release", os.X_OK)
    assert "*_override.tf" in (SOURCE / ".gitignore").read_text().split()
