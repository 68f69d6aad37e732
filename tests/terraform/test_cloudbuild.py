"""`cloudbuild.yaml`: in this order, by digest, with commands that a laptop has too."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from terraform.folder import Folder

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "cloudbuild.yaml"
ORDER = ["terraform", "install", "check", "emulators", "image", "push", "roll-out"]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The file as Terraform's own YAML reader sees it."""
    folder = Folder(tmp_path_factory.mktemp("yaml"), {})
    (folder.path / "main.tf").write_text(f'output "yaml" {{\n  value = jsonencode(yamldecode(file("{FILE}")))\n}}\n')
    folder.run("apply", "-auto-approve")
    return json.loads(folder.run("output", "-raw", "yaml"))


@pytest.fixture
def steps(build: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["id"]: step for step in build["steps"]}


def test_each_step_waits_for_the_one_before(steps: dict[str, dict[str, Any]]) -> None:
    assert list(steps) == ORDER
    assert [step.get("waitFor") for step in steps.values()] == [None, *([before] for before in ORDER[:-1])]


def test_what_is_rolled_out_is_the_digest_that_was_pushed(steps: dict[str, dict[str, Any]]) -> None:
    push, roll_out = script(steps["push"]), script(steps["roll-out"])

    assert "docker push" in push
    assert "RepoDigests" in push
    assert "> .image" in push
    assert "@sha256:[0-9a-f]{64}" in push
    assert 'infra/terraform/release roll-out "$$(cat .image)"' in roll_out
    assert not any(word in script(step) for step in steps.values() for word in ("gcloud run deploy", ":latest"))


def test_the_commands_are_the_repositorys_own(steps: dict[str, dict[str, Any]]) -> None:
    said = " ".join(script(step) for step in steps.values())
    named = set(re.findall(r"(?:tests|functions|infra)/[\w./-]+", said))

    assert {"functions/Dockerfile", "functions/constraints.txt", "infra/terraform/release", "tests/architecture"} <= named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_script_is_one_that_bash_can_read_and_stops_at_the_first_error(steps: dict[str, dict[str, Any]]) -> None:
    scripts = [step for step in steps.values() if step.get("entrypoint") == "bash"]

    assert len(scripts) >= 5
    for step in scripts:
        assert step["args"][0] == "-euc", step["id"]
        subprocess.run(["bash", "-n", "-c", step["args"][1].replace("$$", "$")], check=True)


def test_every_substitution_is_declared_and_used(build: dict[str, Any]) -> None:
    """Cloud Build refuses a build in which either is missing."""
    declared = set(build["substitutions"])
    used = {name for text in texts(build) for name in re.findall(r"(?<!\$)\$\{(_\w+)\}", text)}

    assert used == declared
    assert build["options"]["dynamicSubstitutions"]


def test_the_builder_images_do_not_move(steps: dict[str, dict[str, Any]]) -> None:
    moving = [step["name"] for step in steps.values() if not re.search(r":\d+\.\d+\.\d+", step["name"])]

    assert set(moving) <= {"gcr.io/cloud-builders/docker"}, "Google's own builder has no versions"


def test_a_build_holds_no_secret_and_logs_where_its_account_may(build: dict[str, Any]) -> None:
    assert "availableSecrets" not in build
    assert not any(re.search(r"AIza|BEGIN [A-Z ]*PRIVATE|password", text) for text in texts(build))
    assert build["options"]["logging"] == "CLOUD_LOGGING_ONLY"


def script(step: dict[str, Any]) -> str:
    return " ".join(step["args"])


def texts(node: Any) -> Iterator[str]:
    match node:
        case str():
            yield node
        case dict():
            for inner in node.values():
                yield from texts(inner)
        case list():
            for inner in node:
                yield from texts(inner)
        case _:
            return
