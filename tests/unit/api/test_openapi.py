"""The description is complete: a stranger's tester that knows nothing else finds no answer it does not describe."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis import checks as found_by
from schemathesis.specs.openapi import checks as described

from auteryn.api.door import Door
from auteryn.api.keys import issue
from auteryn.api.limits import Quota
from auteryn.api.openapi import document
from auteryn.api.routes import ROUTES
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from served import served

TOOLS = [file_write, artifact_publish]

schemathesis.openapi.media_type("application/zip", st.binary() | st.binary().map(lambda raw: b"PK\x03\x04" + raw))
schema = schemathesis.openapi.from_dict(json.loads(document())).exclude(operation_id="sign_out")
"""Signing out answers whoever it was with a cookie to forget; its CSRF token is tested with the session's."""

CHECKS = (
    found_by.not_a_server_error,
    described.status_code_conformance,
    described.content_type_conformance,
    described.response_schema_conformance,
    described.response_headers_conformance,
    described.unsupported_method,
    described.ignored_auth,
    described.missing_required_header,
)
"""Not `positive_data_acceptance`: rules between fields (a plan without cycles) are no JSON schema."""


def script(ask):
    """A task to write is written and published; every other one is done."""
    if ask.task != "Write" or ask.turn == 2:
        return "done"
    return call("artifact_publish", path="a.txt") if ask.turn else call("file_write", path="a.txt", content="hello")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """(address, key): a door with a run, a plan and a question behind it."""
    keys = list[str]()

    @asynccontextmanager
    async def opened():
        async with World(tmp_path_factory.mktemp("home"), model=script, tools=TOOLS, real_time=True) as world:
            quota = Quota(requests_per_minute=10**6, burst=10**5, runs=500)
            given = {"name": "tester", "owner": "local", "role": "operator", "lifetime": timedelta(days=1)}
            keys.append((await issue(world.services.store, world.now(), **given))[1])
            yield Door(world.host.engine, quota=quota, secure=False)

    with served(opened) as url:
        yield url, keys[0]


@pytest.mark.proves("L15")
@schema.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_route_answers_only_what_the_description_says(case, door):
    url, key = door
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {key}"}, checks=list(CHECKS), timeout=20)


def test_what_is_said_of_a_real_run_and_a_real_question_is_as_described(door):
    url, key = door
    auth = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=url, headers=auth, timeout=60) as http:
        steps = [{"description": "a"}, {"description": "b", "depends_on": [1]}]
        run = http.post("/v1/runs", json={"input": "Do it", "steps": steps, "labels": {"a": "b"}}).json()
        ask = http.post("/v1/asks", json={"message": "Go?", "options": ["Yes", "No"]}).json()
        answered = http.post(f"/v1/asks/{ask['asks'][0]['id']}/answer", json={"value": "Yes"}).json()
        assert answered["value"] == "Yes"
        file = http.post("/v1/runs", json={"input": "Write", "mode": "deep"}).json()
        names = {"run": run["id"], "plan": run["plan"]["id"], "path": "a.txt", "ask": ask["asks"][0]["id"], "token": "x.y"}
        for one in (run["id"], ask["id"], file["id"]):
            assert http.get(f"/v1/runs/{one}/result?wait=20").json()["status"] == "completed"
            names["run"] = one
            for found in schema.get_all_operations():
                operation = found.ok()
                if operation.method == "get" and operation.path != "/login":
                    values = {name: names[name] for name in operation.path.replace("}", "{").split("{")[1::2]}
                    case = operation.Case(path_parameters=values)
                    answer = case.call_and_validate(base_url=url, headers=auth, checks=list(CHECKS[:5]), timeout=20)
                    there = one == file["id"] or not operation.path.endswith("/{path}")
                    expected = (200, 404) if operation.path.endswith(("/answer", "/{plan}", "/{token}")) else (200,)
                    assert answer.status_code in (expected if there else (404,)), operation.path


def test_every_route_is_described_and_every_reference_leads_somewhere():
    text = document().decode()
    described_paths = {(path, method) for path, one in json.loads(text)["paths"].items() for method in one}
    assert described_paths == {(route.path.replace(":path}", "}"), route.method.lower()) for route in ROUTES}
    known = json.loads(text)["components"]
    for reference in {part.split('"')[0] for part in text.split('"$ref":"#/components/')[1:]}:
        kind, name = reference.split("/")
        assert name in known[kind], reference


@schemathesis.serializer("application/zip")
def as_it_is(_, value) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
