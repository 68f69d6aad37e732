"""The commands a deployer types on a laptop: `auteryn doctor --cloud`, and `auteryn keys` of a deployment."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx2

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


def test_a_whole_deployment_is_found_whole(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        code, found = await doctor(rig)
        assert {name: one["detail"] for name, one in found.items() if one["state"] != "ok"} == {}
        assert code == 0 and len(found) >= 11

    local_cloud.do(story(local_cloud.rig))


def test_what_is_missing_is_named_and_the_rest_is_looked_at(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        code, found = await doctor(rig, AUTERYN_QUEUE="gone", AUTERYN_JOB_LARGE="gone", AUTERYN_STEPS_TOPIC="gone")
        bad = {name: one["detail"] for name, one in found.items() if one["state"] == "bad"}
        assert code == 1 and bad.keys() == {"queue", "job large", "topic steps"}
        assert all("gone" in detail for detail in bad.values())

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
