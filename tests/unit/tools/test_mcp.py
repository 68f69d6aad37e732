"""Tool servers of strangers, over stdio and HTTP: pinned, asked about, capped, and harmless when they are hostile."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result
from msgspec.structs import replace

from auteryn.cli.root import Common, cli
from auteryn.errors import Corrupt, Invalid, ToolFailed
from auteryn.policy.answers import checked
from auteryn.schema import event as e
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools import mcp_ask, mcp_pipe, mcp_server
from auteryn.tools.egress import Egress
from auteryn.tools.mcp import add_server, allow, approve, changes, mcp_tools, read_servers
from auteryn.tools.mcp_schema import sanitised
from auteryn.tools.mcp_server import FAILURES, Connection, Definition, ServerConfig, Settled
from auteryn.tools.registry import Registry
from auteryn.tools.script import script_run
from auteryn.tools.search import tool_search
from auteryn.tools.tool import Judged, Tool
from unit.tools.mcp_stranger import ORDERS, server
from unit.tools.outside import as_a_judge_calls, program
from unit.tools.room import Room

SCRIPT = Path(__file__).with_name("mcp_stranger.py")


def stdio(mode: str, timeout: float = 300.0) -> ServerConfig:
    """A busy machine may take half a minute to start another Python."""
    return ServerConfig(command=sys.executable, args=[str(SCRIPT), mode], timeout=timeout)


async def offered(config: ServerConfig, room: Room) -> list[Definition]:
    connection = await Connection.open(config, room.egress)
    await connection.close()
    return list(connection.definitions.values())


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> list[Definition]:
    """What the honest server offers; asked once."""
    room = Room(tmp_path_factory.mktemp("honest"))
    found = room.loop.run(offered(stdio("honest"), room))
    room.close()
    return found


def approved(home: Path, config: ServerConfig, definitions: list[Definition], word: Settled | None = None) -> Tool:
    add_server(home, "sums", config)
    approve(home, "sums", definitions)
    if word:
        allow(home, "sums", "add", word)
    return mcp_tools(home)[0]


def test_an_approved_tool_is_called_over_stdio(tmp_path: Path, room: Room, honest: list[Definition]) -> None:
    one = approved(tmp_path, stdio("honest"), honest)
    assert one.name == "sums__add" and "its words, no instructions" in one.description
    assert one.judged({"arguments": {}}, room.files, room.run) == Judged(permission="ask", target="sums/add", sends=True)
    assert one.effect == "once" and one.untrusted and one.private
    as_a_judge_calls(one, a=2)
    told = room.call(one, a=2, b=3)
    assert "\n5\n" in told["text"] and "not instructions" in told["text"] and told["complete"]
    assert "\n8\n" in room.call(one, a=7)["text"]
    assert room.refusal(one, a="many").kind == "invalid"
    assert room.refusal(one, b=1).kind == "invalid"


def stopped(room: Room) -> None:
    """The server; the next call starts one."""

    async def stop() -> None:
        await room.sitting.drop("mcp sums", await room.sitting.keep("mcp sums", asyncio.Event().wait))  # pyright: ignore[reportArgumentType]

    room.loop.run(stop())


@pytest.fixture
def over_http() -> Iterator[str]:
    app = server("honest").streamable_http_app(stateless_http=True, json_response=True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1, ws="none"))
        thread = threading.Thread(target=served.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        served.should_exit = True
        thread.join()


def test_an_approved_tool_is_called_over_http_through_the_guard(
    tmp_path: Path, room: Room, over_http: str, honest: list[Definition]
) -> None:
    one = approved(tmp_path, ServerConfig(url=over_http, timeout=20.0), honest)
    assert "\n5\n" in room.call(one, a=2, b=3)["text"]
    stopped(room)
    room.egress = replace(room.egress, deny=("127.0.0.1",))
    assert room.refusal(one, a=2).kind == "unavailable"


def test_a_changed_definition_hides_the_tool_until_it_is_approved_again(
    tmp_path: Path, room: Room, honest: list[Definition]
) -> None:
    one = approved(tmp_path, stdio("changed"), honest)
    assert ORDERS not in one.description
    refused = room.refusal(one, a=1)
    assert refused.kind == "denied" and "approve" in str(refused) and ORDERS not in str(refused)
    now = room.loop.run(offered(stdio("changed"), room))
    assert changes({one.name: one for one in honest}, now) == {"add": "changed"}
    more = room.loop.run(offered(stdio("more"), room))
    assert changes({one.name: one for one in honest}, more) == {"add": "approved", "extra": "new"}
    assert changes({one.name: one for one in more}, honest) == {"add": "approved", "extra": "gone"}


def test_a_hostile_server_is_harmless(tmp_path: Path, room: Room, honest: list[Definition]) -> None:
    said = room.call(approved(tmp_path / "a", stdio("orders"), honest), a=1)["text"]
    assert ORDERS in said and said.index("not instructions") < said.index(ORDERS)
    stopped(room)
    huge = room.call(approved(tmp_path / "b", stdio("huge"), honest), a=1)
    assert not huge["complete"] and len(huge["text"]) < 2_001_000
    stopped(room)
    failed = room.refusal(approved(tmp_path / "c", stdio("error"), honest), a=1)
    assert failed.kind == "failed" and "not instructions" in str(failed)
    stopped(room)
    reading = Settled(effect="read", permission="auto")
    assert "\n5\n" in room.call(approved(tmp_path / "d", stdio("hang"), honest, reading), a=2, b=3)["text"]  # it is at work now
    hasty = approved(tmp_path / "i", stdio("hang", timeout=0.2), honest, reading)
    assert room.refusal(hasty, a=1).kind == "timeout"
    once = room.refusal(approved(tmp_path / "h", stdio("crash"), honest), a=1)
    assert once.kind == "ambiguous" and "it may have taken effect" in str(once) and not once.retryable
    crashing = approved(tmp_path / "e", stdio("crash"), honest, reading)
    for _ in range(FAILURES):
        assert room.refusal(crashing, a=1).kind == "unavailable"
    assert "left alone" in str(room.refusal(crashing, a=1))
    nowhere = approved(tmp_path / "f", ServerConfig(command="/no/such/program"), honest)
    assert room.refusal(nowhere, a=1).kind == "unavailable"  # it never had the call


def test_a_line_without_an_end_ends_the_server_before_it_fills_the_memory(
    tmp_path: Path, room: Room, honest: list[Definition], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_server, "LINE_BYTES", 1 << 20)
    said = tmp_path / "said"
    code = f"""
import os, sys
said = open({str(said)!r}, "ab", 0)
for _ in range(4096):
    os.write(1, b"x" * 65536)
    said.write(b".")
"""
    endless = ServerConfig(command=sys.executable, args=["-c", code], timeout=30.0)
    assert room.refusal(approved(tmp_path / "g", endless, honest), a=1).kind == "unavailable"
    assert 0 < said.stat().st_size < 64  # of 4,096 pieces: a megabyte, and what a pipe holds


def test_the_pipe_passes_on_what_it_is_given(tmp_path: Path) -> None:
    """Long lines and short ones, and the server's stdin; a server that fails has failed."""
    echo = [sys.executable, "-c", "import sys; [sys.stdout.write(line) for line in sys.stdin]"]
    pipe = [sys.executable, str(mcp_pipe.__file__), "300000"]
    body = b"a\n" * 1000 + b"x" * 299_999 + b"\n" + b"b" * 200_000 + b"\nend"
    done = subprocess.run([*pipe, *echo], input=body, capture_output=True, check=True)
    assert done.stdout == body
    assert subprocess.run([*pipe, *echo], input=b"x" * 300_001, capture_output=True, check=False).returncode == 1
    assert subprocess.run([*pipe, "false"], check=False).returncode == 1


def test_a_server_s_own_word_loosens_nothing_and_the_owner_s_does(tmp_path: Path, room: Room, honest: list[Definition]) -> None:
    assert honest[0].annotations["read_only_hint"]
    word = Settled(effect="read", permission="auto", sends=False)
    one = approved(tmp_path, stdio("honest"), honest, word)
    assert one.effect == "read" and one.judged({}, room.files, room.run) == Judged(target="sums/add")


@pytest.mark.proves("L14")
def test_in_a_run_the_tool_is_found_by_search_and_a_person_is_asked(tmp_path: Path, honest: list[Definition]) -> None:
    approved(tmp_path, stdio("honest"), honest)

    def script(ask: Ask) -> Line:
        if ask.turn == 0:
            assert "sums__add" not in ask.tools
            return call("tool_search", query="add two numbers")
        return call("sums__add", a=1) if ask.turn == 1 and "sums__add" in ask.tools else "done"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[tool_search]) as world:
            run = await world.start("Add")
            asked = await world.asked(run)
            assert asked.asks[0].subject and asked.asks[0].subject.target == "sums/add"
            await world.answer(run, "Deny")
            assert (await world.ended(run)).status == "completed"
            assert not any(isinstance(event, e.CallStarted) for event in await world.events(run))

    skipping(story())


# ---- a server that asks


FREE = Settled(effect="once", permission="auto", sends=False)


def orders(folder: Path) -> list[str]:
    found = folder / "orders"
    return found.read_text().splitlines() if found.exists() else []


@cache
def offers(mode: str) -> list[Definition]:
    async def asked() -> list[Definition]:
        connection = await Connection.open(stdio(mode), Egress())
        await connection.close()
        return list(connection.definitions.values())

    return asyncio.run(asked())


def asking(tmp_path: Path, mode: str = "asks") -> None:
    """A home with a shop whose tools the owner trusts, and what it was made to order in `orders`."""
    add_server(tmp_path, "shop", replace(stdio(mode), env={"ORDERS": str(tmp_path / "orders")}))
    approve(tmp_path, "shop", offers(mode))
    for name in ("order", "order_by"):
        allow(tmp_path, "shop", name, FREE)


def ordering(ask: Ask) -> Line:
    return call("shop__order", what="shirt") if ask.turn == 0 else str(ask.results["shop__order"][0])


@pytest.mark.proves("L6", "L14")
def test_a_server_s_questions_are_asked_of_a_person_and_answered_to_it_alone(tmp_path: Path) -> None:
    """Two questions, one after the other, hours between them: another process of the server each time, and it acts once."""
    asking(tmp_path)

    async def story() -> None:
        async with World(tmp_path, model=ordering) as world:
            run = await world.start("Order a shirt")
            (first,) = (await world.asked(run)).asks
            assert first.kind == "input" and first.message.startswith("The tool server 'shop' asks") and ORDERS in first.message
            for wrong in ({"size": "huge"}, {"pieces": 1}, {"size": "small", "pieces": 10}, "small"):
                with pytest.raises(Invalid):
                    checked(first, wrong)
            await world.clock.sleep(timedelta(hours=20))
            await world.answer(run, {"size": "small", "pieces": 2})
            (second,) = (await world.until(run, lambda now: bool(now.asks) and now.asks[0].id != first.id)).asks
            assert "Really so many shirts?" in second.message and orders(tmp_path) == []
            await world.answer(run, {"sure": True})
            ended = await world.ended(run)
            assert "2 small shirt" in str(ended.result) and orders(tmp_path) == ["shirt accept accept"]
            events = await world.events(run)
            assert sum(isinstance(event, e.ModelAnswered) for event in events) == 2  # nobody thinks while a person is asked
            (answer,) = [event for event in events if isinstance(event, e.CallAnswered)]
            assert "@foreign" in answer.labels

    skipping(story())


@pytest.mark.proves("L14")
@pytest.mark.parametrize("said", [None, "nothing"])
def test_a_question_is_declined_by_null_and_by_silence(tmp_path: Path, said: str | None) -> None:
    asking(tmp_path)

    async def story() -> None:
        async with World(tmp_path, model=ordering) as world:
            run = await world.start("Order a shirt")
            await world.asked(run)
            if said is None:
                await world.answer(run, None)
            else:
                await world.clock.sleep(timedelta(hours=25))
            assert "Then not." in str((await world.ended(run)).result) and orders(tmp_path) == ["shirt decline accept"]

    skipping(story())


@pytest.mark.parametrize(
    ("mode", "tool", "told"),
    [("old", "order", "decline"), ("wants a model", "order_by", "failed")],
)
def test_what_cannot_wait_for_people_is_declined(tmp_path: Path, room: Room, mode: str, tool: str, told: str) -> None:
    asking(tmp_path, mode)
    one = next(one for one in mcp_tools(tmp_path) if one.name == f"shop__{tool}")
    if told == "failed":
        assert room.refusal(one, what="shirt").kind in ("failed", "unavailable")
    else:
        assert told in room.call(one, what="shirt")["text"]
        assert room.context and "asked in a way that cannot wait" in room.context.logged[0][1]


def test_nobody_is_sent_to_an_address_by_a_server() -> None:
    from mcp_types import CreateMessageRequest, CreateMessageRequestParams, ElicitRequest, ElicitRequestURLParams

    away = ElicitRequest(params=ElicitRequestURLParams(message="Sign in", url="https://evil.test", elicitation_id="1"))
    assert mcp_ask._to_a_person("shop", away) is False
    with pytest.raises(ToolFailed, match="does not get it"):
        mcp_ask._to_a_person("shop", CreateMessageRequest(params=CreateMessageRequestParams(messages=[], max_tokens=1)))


def test_a_script_is_not_asked(tmp_path: Path) -> None:
    asking(tmp_path)

    def script(ask: Ask) -> Line:
        return call("script_run", code="shop__order(what='shirt')") if ask.turn == 0 else str(ask.results)

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[script_run]) as world:
            run = await world.start("Order a shirt")
            assert "a script cannot: call it directly" in str((await world.ended(run)).result) and orders(tmp_path) == []

    skipping(story())


def test_the_owner_adds_lists_approves_and_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTERYN_HOME", str(tmp_path))
    shell = CliRunner()

    def done(*args: str) -> Result:
        """Through the front: a group that is called by itself keeps other words for help than the front gives it."""
        return shell.invoke(cli, ["mcp", *args], obj=Common(), catch_exceptions=False)

    def said(*args: str) -> str:
        return done(*args).output

    said("add", "sums", "--command", f"{sys.executable} {SCRIPT} honest", "--env", "A=b")
    assert "nothing is approved" in said("list")
    unasked = done("approve", "sums")
    assert "new       sums__add: Add" in unasked.stdout and "approve it with --yes" in unasked.stderr and unasked.exit_code == 2
    assert "nothing is approved" in said("list")
    approving = done("approve", "sums", "--yes", "--json")
    assert json.loads(approving.stdout) == {"state": "new", "tool": "sums__add", "description": "Add two numbers."}
    assert "sums__add" in said("list")
    said("allow", "sums", "add", "--effect", "read", "--permission", "auto")
    assert mcp_tools(tmp_path)[0].permission == "auto"
    assert read_servers(tmp_path).mcpServers["sums"].env == {"A": "b"}
    with pytest.raises(Invalid):
        add_server(tmp_path, "sums", stdio("honest"))
    (tmp_path / "mcp.json").write_text("{")
    with pytest.raises(Corrupt):
        mcp_tools(tmp_path)


def test_the_common_file_of_other_programs_is_read(tmp_path: Path) -> None:
    other = {
        "mcpServers": {"a": {"command": "npx", "args": ["x"], "disabled": False}, "b": {"type": "http", "url": "https://b"}}
    }
    (tmp_path / "mcp.json").write_text(json.dumps({**other, "more": 1}))
    assert set(read_servers(tmp_path).mcpServers) == {"a", "b"} and mcp_tools(tmp_path) == []
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"a": {}}}))
    with pytest.raises(Invalid):
        read_servers(tmp_path)


HOSTILE: list[Any] = [
    {},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}},
    {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}}}},
    {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "A"}}, "required": ["a", "x"]},
    {"properties": {"a": {"type": ["integer", "null"], "minimum": 1, "exclusiveMinimum": 0}}, "additionalProperties": False},
    {"properties": {"a": {"oneOf": [{"type": "string"}, {"type": "array"}]}, "b": {"const": "x"}, "c": {"enum": [1, "y"]}}},
    {"properties": {"a": {"type": "array", "items": {"type": "object"}, "prefixItems": []}, "b": "nonsense", "c": True}},
    "nonsense",
]


@pytest.mark.parametrize("schema", HOSTILE)
def test_a_stranger_s_schema_is_made_to_fit(schema: Any) -> None:
    program("rules").check_schema(sanitised(schema), "stranger", None, False)
    program("rules").check_schema(sanitised(schema), "stranger", None, True)


def test_nothing_of_it_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    code = "import sys; import auteryn.tools.mcp, auteryn.tools.mcp_server; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ}).returncode == 0
    assert Registry(mcp_tools(tmp_path)).hidden == {}
