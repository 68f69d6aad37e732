"""The commands a deployer types on a laptop: `auteryn doctor --cloud`, and `auteryn keys` of a deployment."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx2

from auteryn.adapters.gcp.checkup import Found
from auteryn.compose import cloud_checkup
from auteryn.policy.cloud import APIS, JOB
from emulators.local import Rig, Threaded


async def doctor(rig: Rig, **changed: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and each thing's finding."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "auteryn", "doctor", "--cloud", "--json"),
        env={**os.environ, **rig.cloud.environ, **changed},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    found = [json.loads(line) for line in said.splitlines()]
    return process.returncode or 0, {one["name"]: one for one in found}


async def looked_at(rig: Rig) -> dict[str, Found]:
    """What the command would say, without a process of its own."""
    return {one.name: one async for one in cloud_checkup(rig.cloud.environ)}


def test_a_whole_deployment_is_found_whole(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        code, found = await doctor(rig)
        assert {name: one["detail"] for name, one in found.items() if one["state"] != "ok"} == {}
        assert code == 0 and len(found) >= 13

    local_cloud.do(story(local_cloud.rig))


def test_what_is_missing_is_named_and_the_rest_is_looked_at(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        code, found = await doctor(rig, AUTERYN_QUEUE="gone", AUTERYN_JOB_LARGE="gone", AUTERYN_STEPS_TOPIC="gone")
        bad = {name: one["detail"] for name, one in found.items() if one["state"] == "bad"}
        assert code == 1 and bad.keys() == {"queue", "job large", "topic steps", "secrets"}
        assert all("gone" in detail for detail in bad.values())
        assert all("terraform apply" in found[name]["todo"] for name in bad)

    local_cloud.do(story(local_cloud.rig))


def test_an_api_that_is_off_is_named_with_the_command_that_switches_it_on(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        apis, project = rig.cloud.apis, rig.cloud.project
        apis.enable(project, *(one for one in APIS if one not in ("cloudtasks", "run")))
        try:
            found = await looked_at(rig)
        finally:
            apis.enable(project, *APIS)
        off = "cloudtasks.googleapis.com run.googleapis.com"
        assert found["apis"].bad
        assert f"gcloud services enable {off} --project={project}" in found["apis"].detail

    local_cloud.do(story(local_cloud.rig))


def test_each_secret_of_each_process_is_tried_and_what_is_wrong_comes_with_its_remedy(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        apis, project, account = rig.cloud.apis, rig.cloud.project, "auteryn-slice@p.iam.gserviceaccount.com"
        place = f"projects/{project}/locations/{rig.cloud.environ['AUTERYN_REGION']}"
        names = ("GOOD", "EMPTY", "OFF", "CLOSED")
        env = [
            {"name": f"AUTERYN_SECRET_{name}", "valueSource": {"secretKeyRef": {"secret": name.lower(), "version": "2"}}}
            for name in names
        ]
        apis.deploy(place, "jobs", JOB, account, [{"name": "AUTERYN_REGION", "value": "here"}, *env])
        apis.keep(project, "good", {"2": "ENABLED"}, (account,))
        apis.keep(project, "empty", {"1": "ENABLED"}, (account,))
        apis.keep(project, "off", {"2": "DISABLED"}, (account,))
        apis.keep(project, "closed", {"2": "ENABLED"}, ("somebody@p.iam.gserviceaccount.com",))
        try:
            found = await looked_at(rig)
        finally:
            apis.deploy(place, "jobs", JOB, account, [])
        said = {name: found[f"secret AUTERYN_SECRET_{name}"] for name in names}
        assert found["secrets"].detail.startswith("4 are given")
        assert {name for name, one in said.items() if one.bad} == {"EMPTY", "OFF", "CLOSED"}
        assert "gcloud secrets versions add empty --data-file=-" in said["EMPTY"].detail
        assert "gcloud secrets versions enable 2 --secret=off" in said["OFF"].detail
        assert f"add-iam-policy-binding closed --member=serviceAccount:{account}" in said["CLOSED"].detail

    local_cloud.do(story(local_cloud.rig))


def test_a_key_made_from_outside_opens_the_api_until_it_is_revoked(local_cloud: Threaded) -> None:
    """The names that Terraform gives need not be repeated: only where the deployment is."""

    async def story(rig: Rig) -> None:
        usual = ("AUTERYN_DATABASE", "AUTERYN_EVENTS_TOPIC", "AUTERYN_JOB", "AUTERYN_QUEUE", "AUTERYN_TASKS_ACCOUNT")
        environ = {name: value for name, value in rig.cloud.environ.items() if name not in usual}

        async def keys(*said: str) -> bytes:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "auteryn", "keys", *said),
                env={**os.environ, **environ},
                stdout=asyncio.subprocess.PIPE,
            )
            answer, _ = await process.communicate()
            assert process.returncode == 0
            return answer

        made = json.loads(await keys("create", "--name", "ann", "--json"))
        assert made["id"] in (await keys("ls")).decode()
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {made['key']}"}, timeout=30) as http:
            assert (await http.get(f"{rig.cloud.url}/v1/runs")).status_code == 200
            await keys("revoke", made["id"])
            assert (await http.get(f"{rig.cloud.url}/v1/runs")).status_code == 401

    local_cloud.do(story(local_cloud.rig))
