"""An agent whose runs live on a server: what goes beyond being the same agent. Servers end and come back, lines are cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from datetime import timedelta

import pytest

from auteryn import Agent, Invalid, NotAllowed, NotFound, RateLimited, Refused, Unavailable, WrongState, tool
from auteryn.api.door import Door
from auteryn.api.keys import issue
from auteryn.api.limits import Quota
from auteryn.client import wire
from auteryn.service.asks import Question
from auteryn.testing.emulators.servers import held_port
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from served import both_ways, serving

OPEN = Quota(requests_per_minute=10**6, burst=10**5)


class Lives:
    """A server at one address that lives several times, each time over the same home."""

    def __init__(self, folder, model, tools, port) -> None:
        self.folder, self.model, self.tools, self.port = folder, model, tools, port
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.key = ""

    def begin(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._live(ready),))
        self._thread.start()
        ready.wait()

    def end(self) -> None:
        if self._loop and self._stop and self._thread:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None

    async def _live(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with World(self.folder, model=self.model, tools=self.tools, real_time=True) as world:
            if not self.key:
                given = {"name": "ann", "owner": "local", "role": "operator", "lifetime": timedelta(days=1)}
                self.key = (await issue(world.services.store, world.now(), **given))[1]
            async with serving(Door(world.host.engine, quota=OPEN, secure=False), port=self.port):
                ready.set()
                await self._stop.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def lives(tmp_path):
    """`lives(model, tools)`: a server that was begun; ended at the end."""
    with contextlib.ExitStack() as closing:

        def lives(model, tools=()) -> Lives:
            made = Lives(tmp_path / "home", model, tools, closing.enter_context(held_port()))
            closing.callback(made.end)
            made.begin()
            return made

        yield lives


@pytest.mark.proves("P7", "P34", "P40", "P85", "P89", "L12")
def test_whoever_waits_listens_and_reads_the_log_goes_on_when_the_server_comes_back(lives, monkeypatch):
    monkeypatch.setattr(wire, "LONGEST_PAUSE", timedelta(milliseconds=100))
    turns = threading.Semaphore(0)

    @tool(effect="read", timeout=timedelta(hours=1))
    async def turn(ctx, number: int) -> str:
        """Wait for one's turn."""
        while not turns.acquire(blocking=False):
            await ctx.clock.sleep(timedelta(milliseconds=5))
        return f"turn {number}"

    def script(ask):
        return "All turns are taken." if ask.turn == 6 else call("turn", number=ask.turn)

    server = lives(script, [turn])
    with Agent(endpoint=server.url, api_key=server.key) as agent:
        task = agent.run_async("Take your turns", mode="deep")
        got, heard, lines = [], [], []
        waiting = [
            threading.Thread(target=lambda: got.append(task.result())),
            threading.Thread(target=lambda: heard.extend(task.events())),
            threading.Thread(target=lambda: lines.extend(agent.stream_logs(task, level="debug"))),
        ]
        for thread in waiting:
            thread.start()
        for _ in range(3):
            turns.release()
            server.end()
            server.begin()
        turns.release(20)
        for thread in waiting:
            thread.join(60)
        assert got == ["All turns are taken."]
        durable = [event.id for event in heard if not event.delta]
        assert durable == [event.id for event in task.events() if not event.delta] and len(set(durable)) == len(durable)
        assert [str(line) for line in lines] == [str(line) for line in agent.get_logs(task, level="debug")]
        assert sum("slice" in line.message and "began" in line.message for line in lines) >= 2


@pytest.mark.proves("P30", "L15")
def test_a_request_whose_answer_was_lost_is_sent_again_and_is_the_same_run(tmp_path, monkeypatch):
    """A line that loses every first answer to a POST: what it did has been done all the same."""
    monkeypatch.setattr(wire, "FIRST_PAUSE", timedelta(milliseconds=1))
    with both_ways(tmp_path, "server") as agent_of:
        direct = agent_of(lambda ask: "said" if "Hello" in ask.last else "done")
        remote = direct.world.desk._wire  # the line itself is what this is about
        with losing(remote.endpoint) as (url, lost), Agent(endpoint=url, api_key=remote.api_key) as agent:
            task = agent.run_async("Do it", labels={"a": "b"}, files={"a.bin": bytes(range(256))})
            assert task.result() == "done"
            assert "POST /v1/runs " in lost[0]
            agent.answer(
                agent.world.call(agent.world.desk.ask(Question(message="Go?", options=("Yes", "No")))).asks[0].id, "Yes"
            )
            assert len(direct.tasks()) == 2 and len(lost) >= 2


@contextlib.contextmanager
def losing(endpoint: str):
    """(address, request lines whose answers were lost): passes everything on, and hangs up on each new POST instead of
    bringing its answer; answers to questions already lost once come through, and so does what must not be repeated."""
    host, port = endpoint.removeprefix("http://").split(":")
    lost, seen = list[str](), set[str]()

    async def talk(reader, writer) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            raw = await reader.readuntil(b"\r\n\r\n")
            head = raw.decode()
            length = next(
                (int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0
            )
            raw += await reader.readexactly(length)
            line = head.split("\r\n")[0]
            upstream, to = await asyncio.open_connection(host, int(port))
            to.write(raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            answer = await upstream.read()
            to.close()
            if line.startswith("POST") and "idempotency-key" in head.lower() and line not in seen:
                seen.add(line)
                lost.append(line)
            else:
                writer.write(answer)
                await writer.drain()
        writer.close()

    ready, stop, found = threading.Event(), asyncio.Event(), list[int]()
    loop = asyncio.new_event_loop()

    async def live() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        found.append(server.sockets[0].getsockname()[1])
        ready.set()
        await stop.wait()
        server.close()
        await server.wait_closed()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    ready.wait()
    try:
        yield f"http://127.0.0.1:{found[0]}", lost
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.mark.proves("P37")
def test_files_go_up_in_a_form_and_come_back_as_they_were(tmp_path):
    body = bytes(range(256)) * 1_000

    def script(ask):
        return "Here." if ask.results else ask.call("artifact_publish", path="a b/ü.bin", title="It")

    (tmp_path / "given.bin").write_bytes(body)
    with both_ways(tmp_path, "server") as agent_of:
        agent = agent_of(script)
        result = agent.run("Give it back", mode="fast", files={"a b/ü.bin": tmp_path / "given.bin"})
        [artifact] = result.artifacts
        assert (artifact.path, artifact.size_bytes) == ("a b/ü.bin", len(body))
        task = agent.task(result.run_id)
        assert task.artifact("a b/ü.bin") == task.artifact(artifact.id) == body
        with pytest.raises(NotFound, match="published no"):
            task.artifact("a b/../c")
        with pytest.raises(Invalid, match=r"files\['\.\./c'\]"):
            agent.run("No", files={"../c": b"x"})


@pytest.mark.proves("L15", "P92")
def test_what_the_server_refuses_is_the_error_it_would_be_at_home(tmp_path):
    with both_ways(tmp_path, "home") as here, both_ways(tmp_path / "s", "server") as there:
        met = []
        for agent in (here("done"), there("done")):
            task = agent.run_async("Do it")
            task.result()
            said = []
            for wrong in (
                lambda agent=agent: agent.run("x", max_duration="8d"),
                lambda agent=agent: agent.run(" "),
                lambda task=task: task.cancel(),
                lambda task=task: task.send("hello"),
                lambda task=task: task.retry(),
                lambda agent=agent: agent.task("run_nothing"),
                lambda agent=agent: agent.answer("ask_nothing", "Yes"),
                lambda agent=agent, task=task: agent.get_logs(task, level="loud"),
            ):
                with pytest.raises((Invalid, NotFound, WrongState)) as refused:
                    wrong()
                said.append((type(refused.value), str(refused.value).replace(task.id, "run")))
            met.append(said)
        assert [kind for kind, _ in met[0]] == [kind for kind, _ in met[1]]
        assert met[0][:6] == met[1][:6]


def test_keys_quotas_and_strangers_are_said_plainly(tmp_path):
    async def main() -> tuple[str, str]:
        async with World(tmp_path) as world:
            store, now = world.services.store, world.now()
            keys = [
                (await issue(store, now, name=role, owner="local", role=role, lifetime=timedelta(days=1)))[1]
                for role in ("viewer", "operator")
            ]
            async with serving(Door(world.host.engine, quota=Quota(runs=1), secure=False)) as port:
                await asyncio.to_thread(story, f"http://127.0.0.1:{port}", *keys)
        return keys[0], keys[1]

    def story(url: str, viewer: str, operator: str) -> None:
        with pytest.raises(Refused, match="API key"):
            Agent(endpoint=url, api_key=viewer[:-1])
        with Agent(endpoint=url, api_key=viewer) as agent, pytest.raises(NotAllowed, match="operator"):
            agent.run("Do it")
        with Agent(endpoint=url, api_key=operator) as agent:
            agent.world.call(agent.world.desk.ask(Question(message="Go?", options=("Yes", "No"))))
            with pytest.raises(RateLimited, match="as many as one owner may have") as met:
                agent.run("Do it")
            assert met.value.retry_after == timedelta(minutes=1)

    asyncio.run(main())
    with stranger() as url, pytest.raises(Refused, match="is the endpoint right"):
        Agent(endpoint=url, api_key="auteryn_a_b")


@contextlib.contextmanager
def stranger():
    """The address of some other server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as line:
                line.recv(65_536)
                line.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def test_nobody_waits_for_ever_for_a_server_that_is_gone(lives, monkeypatch):
    monkeypatch.setattr(wire, "LONGEST_PAUSE", timedelta(milliseconds=20))
    server = lives(["done"])
    agent = Agent(endpoint=server.url, api_key=server.key)
    task = agent.run_async("Do it")
    task.result()
    server.end()
    for seen in (task.status, lambda: list(task.events())):
        monkeypatch.setattr(wire.Trouble, "__init__", impatient)
        with pytest.raises(Unavailable, match="does not answer"):
            seen()
    agent.close()
    with pytest.raises(Unavailable, match="was closed"):
        task.status()
    assert json.dumps(repr(agent.world.desk._wire)).count(server.key) == 0


def impatient(self, patience) -> None:
    self.patience, self.since, self.tries = timedelta(milliseconds=100), None, 0
