"""The run tools for other agents: the protocol's own client, over HTTP, with a key."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest
from mcp import ClientSession
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from auteryn.api.door import Door
from auteryn.api.keys import issue
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.human import ask_approval
from served import serving


def script(ask):
    if ask.task.startswith("Ask"):
        return call("ask_approval", message="Go?", options=["Yes", "No"]) if ask.turn == 0 else f"told: {ask.results}"
    if ask.turn == 0:
        return call("file_write", path="a.txt", content="hello")
    return call("artifact_publish", path="a.txt") if ask.turn == 1 else "published"


@asynccontextmanager
async def opened(folder):
    """(address, key of an operator, key of a viewer)."""
    tools = [file_write, artifact_publish, ask_approval]
    async with World(folder, model=script, tools=tools, real_time=True) as world:
        keys = [
            (await issue(world.services.store, world.now(), name=role, owner="local", role=role, lifetime=timedelta(days=1)))[1]
            for role in ("operator", "viewer")
        ]
        async with serving(Door(world.host.engine, secure=False)) as port:
            yield f"http://127.0.0.1:{port}/mcp", *keys


@asynccontextmanager
async def agent(url: str, key: str):
    """Another agent, as its maker's library connects it: `use(tool, **arguments)`."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):

        async def use(tool: str, **arguments):
            said = await client.call_tool(tool, arguments)
            if said.is_error:
                raise ValueError(said.content[0].text)
            return said.structured_content or json.loads(said.content[0].text)

        use.client = client
        yield use


@pytest.mark.proves("P40", "P92")
def test_another_agent_starts_follows_answers_steers_stops_and_fetches(tmp_path):
    async def main():
        async with opened(tmp_path) as (url, key, _), agent(url, key) as use:
            tools = (await use.client.list_tools()).tools
            runs = ("start", "status", "result", "events", "answer", "cancel", "steer")
            assert [tool.name for tool in tools] == [*(f"run_{what}" for what in runs), "artifact_get"]
            assert all(tool.description and tool.input_schema["type"] == "object" for tool in tools)

            run = (await use("run_start", input="Publish a file", mode="deep", key="k"))["run"]
            assert (await use("run_start", input="Publish a file", mode="deep", key="k"))["run"] == run
            end = await use("run_result", run=run, wait_seconds=20)
            assert (end["status"], end["result"]) == ("completed", "published")
            file = await use("artifact_get", run=run, path=end["artifacts"][0]["path"])
            assert file["text"] == "hello"
            first = await use("run_events", run=run, limit=3)
            rest = await use("run_events", run=run, after=first["next"])
            whole = (await use("run_events", run=run, limit=500))["events"]
            assert first["events"] + rest["events"] == whole and whole[-1]["result"] == "published"
            assert (await use("run_events", run=run, after=rest["next"]))["events"] == []

            asking = (await use("run_start", input="Ask first", mode="deep"))["run"]
            while not (status := await use("run_status", run=asking))["asks"]:
                await use("run_events", run=asking)
            assert status["asks"][0]["options"] == ["Yes", "No"] and "Go?" in status["why"]
            with pytest.raises(ValueError, match="none of"):
                await use("run_answer", ask=status["asks"][0]["id"], value="Perhaps")
            await use("run_answer", ask=status["asks"][0]["id"], value="Yes")
            assert "Yes" in (await use("run_result", run=asking, wait_seconds=20))["result"]

            stopped = (await use("run_start", input="Ask again", mode="deep"))["run"]
            await use("run_steer", run=stopped, text="Hurry", mode="queue")
            await use("run_cancel", run=stopped)
            assert (await use("run_result", run=stopped, wait_seconds=20))["status"] == "cancelled"
            for wrong, why in (
                ({"tool": "run_status", "run": "run_nothing"}, "no run"),
                ({"tool": "run_start", "input": "x", "max_duration": "8d"}, "max_duration"),
                ({"tool": "run_start", "input": "x", "mode": "quick"}, "mode"),
                ({"tool": "artifact_get", "run": run, "path": "b.txt"}, "published no"),
            ):
                with pytest.raises(ValueError, match=why):
                    await use(**wrong)

    asyncio.run(main())


def test_an_agent_that_speaks_the_older_protocol_is_understood(tmp_path):
    async def main():
        async with (
            opened(tmp_path) as (url, key, _),
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as http,
            streamable_http_client(url, http_client=http) as streams,
            ClientSession(*streams[:2]) as session,
        ):
            assert (await session.initialize()).server_info.name == "auteryn"
            said = await session.call_tool("run_start", {"input": "Publish a file"})
            assert not said.is_error and "run_" in said.content[0].text

    asyncio.run(main())


def test_of_those_who_come_first_together_all_are_let_in(tmp_path):
    async def main():
        async with World(tmp_path, model=script) as world:
            door = Door(world.host.engine, secure=False)
            given = {"name": "ann", "owner": "local", "role": "viewer", "lifetime": timedelta(days=1)}
            _, key = await issue(world.services.store, world.now(), **given)
            headers = {"Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"}
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(door), base_url="http://127.0.0.1") as http:
                ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
                found = await asyncio.gather(*(http.post("/mcp", json=ping, headers=headers) for _ in range(3)))
                assert [one.status_code for one in found] == [200, 200, 200], found[-1].text
            door.close()

    skipping(main())


@pytest.mark.proves("P40")
def test_an_agent_is_told_what_has_happened_however_long_that_takes_to_read(tmp_path, monkeypatch):
    async def main():
        async with World(tmp_path, model=script) as world:
            store = world.services.store
            run, door = await world.start("Publish a file"), Door(world.host.engine, secure=False)
            await world.ended(run)
            _, key = await issue(store, world.now(), name="ann", owner="local", role="viewer", lifetime=timedelta(days=1))
            headers = {"Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"}
            journal = store.journal

            async def slow(run: str, **given):
                await asyncio.sleep(1)
                return await journal(run, **given)

            monkeypatch.setattr(store, "journal", slow)
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(door), base_url="http://127.0.0.1") as http:
                params = {"name": "run_events", "arguments": {"run": run}}
                asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                said = (await http.post("/mcp", json=asked, headers=headers)).json()["result"]["content"][0]["text"]
            door.close()
            assert json.loads(said)["events"][-1]["status"] in ("completed", "failed")

    skipping(main())


@pytest.mark.proves("L15")
def test_nobody_comes_in_without_a_key_and_a_viewer_only_looks(tmp_path):
    async def main():
        async with opened(tmp_path) as (url, key, viewer):
            ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            async with httpx2.AsyncClient(timeout=60) as http:
                for headers in ({}, {"Authorization": "Bearer no"}):
                    refused = await http.post(url, json=ping, headers=headers)
                    assert refused.status_code == 401 and refused.json()["code"] == "unauthenticated"
                auth = {"Authorization": f"Bearer {key}"}
                for broken in (b"", b"{", b"[]", b'{"jsonrpc": "2.0"}'):
                    answer = await http.post(url, content=broken, headers=auth)
                    assert 400 <= answer.status_code < 500, broken
                    assert answer.headers["x-content-type-options"] == "nosniff"
                assert (await http.get(url, headers=auth)).status_code == 405
            async with agent(url, key) as use:
                run = (await use("run_start", input="Publish a file", mode="deep"))["run"]
                await use("run_result", run=run, wait_seconds=20)
            async with agent(url, viewer) as look:
                assert (await look("run_status", run=run))["status"] == "completed"
                for tool, given in (
                    ("run_start", {"input": "x"}),
                    ("run_cancel", {"run": run}),
                    ("run_steer", {"run": run, "text": "x"}),
                    ("run_answer", {"ask": "ask_1", "value": "x"}),
                ):
                    with pytest.raises(ValueError, match="operator"):
                        await look(tool, **given)

    asyncio.run(main())
