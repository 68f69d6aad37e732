"""The image as `functions/Dockerfile` makes it, serving a deployment: its own commands, its own files, nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from auteryn.policy import cloud
from auteryn.testing.scripted import Ask, Line, call
from emulators.local import OWN, Rig, Threaded
from terraform.conftest import environ, folder
from terraform.folder import DIGEST, PROJECT, Folder
from terraform.image import Image, build
from terraform.rule import hosts

__all__ = ["environ", "folder"]


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(tmp_path_factory.mktemp("slim"), pip=False)


def given(folder: Folder) -> dict[str, dict[str, str]]:
    """What each process of a deployment with a key finds in its environment, by Terraform."""
    folder.apply(variables={"project_id": PROJECT, "image": DIGEST, "model_key_version": "1"})
    return {
        host: {one["name"]: one["value"] for one in template["containers"][0]["env"]}
        for host, (_, template) in hosts(folder.world())
    }


def test_the_three_commands_serve_a_deployment(
    slim: Image, folder: Folder, firestore_emulator: str, pubsub_emulator: str, tmp_path: Path
) -> None:
    """Nothing of the checkout is in sight: what the Dockerfile does not copy, or pip would not install, is not there."""
    by_terraform = given(folder)
    only_there = {"AUTERYN_PUBLIC_URL": by_terraform["api"]["AUTERYN_PUBLIC_URL"]}

    async def story(rig: Rig) -> None:
        assert OWN.keys() <= {*cloud.ON_REQUEST, *cloud.SETTINGS, *cloud.SECRETS}, "what no deployment could have"
        mine = {name for name in rig.cloud.environ if name not in cloud.LAPTOP}
        assert mine - OWN.keys() == set(by_terraform["dispatch"])

        greeting = await rig.create(input=f"{rig.script(lambda _: 'Hello!')} Say hello", mode="fast")
        assert (await rig.ended(greeting))["result"] == "Hello!"

        def script(ask: Ask) -> Line:
            return "It is 42." if ask.results else call("calculate", expression="6*7")

        computed = await rig.create(input=f"{rig.script(script)} Compute", mode="deep")
        assert (await rig.ended(computed))["result"] == "It is 42."
        await rig.quiet([computed])
        assert [(one.state, one.code) for one in rig.executions_of(computed)] == [("succeeded", 0)]

        tools = (await rig.http.get("/v1/tools")).json()["tools"]
        shown = {one["name"] for one in tools if not one.get("missing")}
        assert {"calculate", "file_write", "plan_create"} <= shown
        assert not {"browser_open", "data_query", "sheet_create", "web_fetch"} & shown, "these need what slim has not"

    place = tmp_path / "cloud"
    place.mkdir()
    with Threaded(Rig(place, only_there, within=slim.container(place))) as threaded:
        threaded.do(story(threaded.rig))


def test_it_runs_as_nobody_and_cannot_change_itself(slim: Image) -> None:
    probe = """
import os
refused = 0
for place in ("/app/functions/api/main.py", "/venv/lib/more.py", "/more"):
    try:
        open(place, "a")
    except OSError:
        refused += 1
open("/tmp/scratch", "w").close()
print(os.getuid(), refused, os.getcwd())
"""
    done = subprocess.run(slim.argv(["python", "-c", probe], {}), capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["10001", "3", "/app"]


def test_its_tools_say_which_extra_they_miss(slim: Image) -> None:
    missing = {detail.partition(": ")[0]: detail for detail in hidden(slim)}

    for tool, extra in {"browser_open": "browser", "data_query": "data", "sheet_create": "office", "web_fetch": "web"}.items():
        assert f"auteryn[{extra}]" in missing[tool]


@pytest.mark.slow("pip downloads and compiles: two to five minutes")
def test_pip_makes_the_full_image_by_the_constraints(tmp_path: Path) -> None:
    full = build(tmp_path, pip=True, EXTRAS="[all]")

    assert [detail for detail in hidden(full) if "auteryn[" in detail] == []
    frozen = subprocess.run(
        full.argv(["pip", "freeze", "--exclude", "auteryn"], {}), capture_output=True, text=True, check=True
    )
    wanted = (Path(__file__).parents[2] / "functions" / "constraints.txt").read_text(encoding="utf-8")
    assert {plain(line) for line in frozen.stdout.splitlines()} - {plain(line) for line in wanted.splitlines()} == set()
    assert list((full.root / "venv/lib").rglob("auteryn/compose/__pycache__/gcp.*.pyc"))


def hidden(image: Image) -> list[str]:
    """Each tool that is not shown in a container, and why."""
    argv = image.argv(["auteryn", "doctor", "--json"], {"HOME": "/tmp"})
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [one["detail"] for one in map(json.loads, done.stdout.splitlines()) if one["name"] == "hidden tool"]


def plain(line: str) -> str:
    return line.lower().replace("_", "-").partition(" ")[0]
