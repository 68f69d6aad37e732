"""The door beside its floor, in one run: ratios, not milliseconds.

    python tests/bench/bench_http.py [sse crowd fast import]      # tables on standard output

sse     a durable event in one process → a client of another process's event stream, and the same with the bare minimum: SQLite
        with fsync, a datagram, Starlette. Events are 20 ms apart.
crowd   500 clients of one run's stream on one process, an event every second.
fast    POST /v1/runs with a question that patterns route, to the first word in the answer's stream: the model answers at once,
        so all of it is ours. `gemini`: through Google's own client and a server on this machine that speaks its API.
import  `functions/api` beside a process that imports google-cloud-firestore and functions-framework, and no more.

`REPS` repetitions (3), the pair of each taken one after the other; the least disturbed counts. Reported, never asserted: a busy
machine proves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parents[1]))
REPS = int(os.environ.get("REPS", "3"))
EVENTS, CROWD, CROWD_EVENTS, QUESTIONS = 150, 500, 15, 60
WARMED = 5
"""Measurements at the beginning that do not count."""

_STAMP = re.compile(rb"@(\d+)@")


# ---- ours --------------------------------------------------------------------------------------------------------------


class Stamping:
    """A model that says what time it is, and asks for nothing until it has said it often enough."""

    searches = False

    def __init__(self, turns: int, gap: float) -> None:
        self.turns, self.gap = turns, gap

    def model_id(self, role: str) -> str:
        return "fake"

    async def close(self) -> None: ...

    async def generate(self, request: Any, *, on_delta: Any = None, spend: Any = None) -> Any:
        from auteryn.schema.message import Call, Delta, Reply, Tokens

        await spend(1, "")
        turn = len(request.contents) // 2
        await asyncio.sleep(self.gap)
        said = f"@{time.monotonic_ns()}@"
        if not self.turns and on_delta:
            on_delta(Delta(kind="text", text=said))
        calls = (Call(name="calculate", args={"expression": f"{turn} + 1"}),) if turn < self.turns else ()
        parts: list[dict[str, Any]] = [
            {"text": said},
            *({"functionCall": {"name": call.name, "args": call.args}} for call in calls),
        ]
        content = {"role": "model", "parts": parts}
        return Reply(model="fake", content=content, finish="stop", text=said, calls=calls, tokens=Tokens(prompt=9))


def host_of(home: Path, model: Any = None) -> Any:
    from auteryn import compose

    return compose.embedded(compose.Settings(home=home), model=model)


async def worker(home: Path, turns: int, gap: float) -> None:
    """Makes a run, says its id, and works on it once told to."""
    from auteryn.service.desk import Desk
    from auteryn.service.new import NewRun

    host = host_of(home, Stamping(turns, gap))
    run = await Desk(host.engine).create(NewRun(input="Say what time it is", mode="deep"))
    print(run.id, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await host.start()
    await Desk(host.engine).result(run.id)
    await host.close()


async def server(home: Path, works: str = "") -> None:
    """Serves the home until its standard input ends, and says where and with which key. `works`: on runs, too, with a model."""
    import uvicorn

    from auteryn.api.door import Door
    from auteryn.api.keys import issue
    from auteryn.api.limits import Quota

    async with contextlib.AsyncExitStack() as around:
        model: Any = Stamping(0, 0)
        if works == "gemini":
            from auteryn.testing.gemini import ScriptedGemini

            gemini = await around.enter_async_context(ScriptedGemini(["A word."]))
            os.environ |= {"GOOGLE_GEMINI_BASE_URL": gemini.url, "GEMINI_API_KEY": "none"}
            model = None
        host = host_of(home, model)
        if works:
            await host.start()
        store, now = host.engine.services.store, host.engine.now()
        _, key = await issue(store, now, name="bench", owner="local", role="operator", lifetime=timedelta(days=1))
        quota = Quota(requests_per_minute=10**6, burst=10**5, runs=10**4)
        door = Door(host.engine, quota=quota, secure=False)
        listening = socket.create_server(("127.0.0.1", 0), backlog=2 * CROWD)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(json.dumps([listening.getsockname()[1], key]), flush=True)
        serving = uvicorn.Server(uvicorn.Config(door, lifespan="off", log_config=None, access_log=False))
        task = asyncio.create_task(serving.serve(sockets=[listening]))
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps(time.process_time()), flush=True)
        door.close()
        serving.should_exit = True
        await task
        await host.close()


# ---- the floor ---------------------------------------------------------------------------------------------------------


def floor_writer(folder: Path, events: int, gap: float) -> None:
    """Commits each event with fsync, then pokes the server's socket."""
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.execute("PRAGMA synchronous=FULL")
    voice = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(events):
        time.sleep(gap)
        database.execute("INSERT INTO events(body) VALUES(?)", (f"@{time.monotonic_ns()}@",))
        voice.sendto(b"1", str(folder / "ear"))


def floor_server(folder: Path) -> None:
    """Reads the log when it is poked, and streams what is new."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE IF NOT EXISTS events(n INTEGER PRIMARY KEY, body TEXT)")
    (folder / "ear").unlink(missing_ok=True)
    ear, poked = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), asyncio.Event()
    ear.bind(str(folder / "ear"))
    ear.setblocking(False)

    def hear() -> None:
        ear.recv(16)
        poked.set()

    async def stream(request: Any) -> StreamingResponse:
        asyncio.get_running_loop().add_reader(ear, hear)

        async def frames() -> AsyncGenerator[str]:
            last = 0
            yield "retry: 2000\n\n"
            while True:
                await poked.wait()
                poked.clear()
                for number, body in database.execute("SELECT n, body FROM events WHERE n>? ORDER BY n", (last,)).fetchall():
                    last = number
                    yield f"data: {body}\n\n"

        return StreamingResponse(frames(), media_type="text/event-stream")

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(json.dumps([listening.getsockname()[1], ""]), flush=True)
    uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/{any:path}", stream)]), log_level="error")).run(sockets=[listening])


# ---- clients -----------------------------------------------------------------------------------------------------------


class Process:
    """This script in another role."""

    def __init__(self, *role: object) -> None:
        argv = [sys.executable, str(HERE), *map(str, role)]
        self._it = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def says(self) -> str:
        assert self._it.stdout
        return self._it.stdout.readline().strip()

    def tell(self) -> None:
        assert self._it.stdin
        with contextlib.suppress(BrokenPipeError):
            self._it.stdin.write("\n")
            self._it.stdin.flush()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._it.kill()
        self._it.wait()


async def listened(reader: asyncio.StreamReader, most: int) -> list[float]:
    """For each stamped event, how old it was when it came, in milliseconds."""
    ages, seen = list[float](), set[bytes]()
    while len(ages) < most and (line := await reader.readline()):
        now = time.monotonic_ns()
        for stamp in _STAMP.findall(line):
            if stamp not in seen:
                seen.add(stamp)
                ages.append((now - int(stamp)) / 1e6)
    return ages


async def audience(port: int, request: str, clients: int, events: int, begin: Any) -> list[float]:
    """What all of them saw, once all of them were there."""
    lines = await asyncio.gather(*(_asked(port, request) for _ in range(clients)))
    begin()
    found = await asyncio.gather(*(listened(reader, events) for reader, _ in lines))
    for _, writer in lines:
        writer.close()
    return [age for ages in found for age in ages[WARMED:]]


async def _asked(port: int, request: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    await reader.readuntil(b"retry: 2000\n\n")
    return reader, writer


def request_of(run: str, key: str) -> str:
    return f"GET /v1/runs/{run}/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n"


def streamed(clients: int, events: int, gap: float) -> tuple[list[float], float]:
    """(ages, processor seconds of the server a delivered event)."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Process("worker", folder, events, gap) as work,
        Process("server", folder) as serving,
    ):
        run, (port, key) = work.says(), json.loads(serving.says())
        ages = asyncio.run(audience(port, request_of(run, key), clients, events, work.tell))
        serving.tell()
        return ages, json.loads(serving.says()) / max(1, len(ages))


def floored(events: int, gap: float) -> list[float]:
    with tempfile.TemporaryDirectory() as folder, Process("floor-server", folder) as serving:
        port, _ = json.loads(serving.says())
        with Process("floor-writer", folder, events, gap) as writer:
            writer.says()
            return asyncio.run(audience(port, request_of("any", ""), 1, events, writer.tell))


def asked(works: str) -> list[float]:
    """Milliseconds from a question to its first word."""

    async def one(port: int, key: str, number: int) -> float:
        body = json.dumps({"input": f"What is {number}?"}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "POST /v1/runs HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
        began = time.monotonic_ns()
        writer.write(f"{head}Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        while (line := await reader.readline()) and line != b"event: message\n":
            pass
        took = (time.monotonic_ns() - began) / 1e6
        while line and b'"completed"' not in line:
            line = await reader.readline()
        writer.close()
        return took

    async def all_of_them(port: int, key: str) -> list[float]:
        return [await one(port, key, number) for number in range(QUESTIONS)][WARMED:]

    with tempfile.TemporaryDirectory() as folder, Process("server", folder, works) as serving:
        return asyncio.run(all_of_them(*json.loads(serving.says())))


def imported(what: str) -> float:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "functions" / "api")}
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", what], check=True, env=env)
    return (time.perf_counter() - began) * 1000


# ---- tables ------------------------------------------------------------------------------------------------------------


def part(ages: list[float], share: float) -> float:
    return sorted(ages)[min(len(ages) - 1, int(len(ages) * share))]


def table(title: str, *rows: dict[str, Any]) -> None:
    names = list(rows[0])
    print(f"\n### {title}\n\n| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in rows:
        print(
            "| " + " | ".join(f"{row[n]:.2f}" if isinstance(row[n], float) else str(row[n]) for n in names) + " |", flush=True
        )


def sse() -> None:
    pairs = [(floored(EVENTS, 0.02), streamed(1, EVENTS, 0.02)[0]) for _ in range(REPS)]
    best = min(pairs, key=lambda pair: part(pair[0], 0.99))
    rows = [
        {"stream": name, "events": len(ages), "p50 ms": part(ages, 0.5), "p99 ms": part(ages, 0.99), "x floor p50": by}
        for name, ages, by in (
            ("floor: commit (fsync) + datagram + SSE", best[0], 1.0),
            ("auteryn", best[1], part(best[1], 0.5) / part(best[0], 0.5)),
        )
    ]
    table("durable event → client of another process", *rows)
    print("ratios of p50:", ", ".join(f"{part(ours, 0.5) / part(floor, 0.5):.2f}" for floor, ours in pairs))


def crowd() -> None:
    ages, each = min((streamed(CROWD, CROWD_EVENTS, 1.0) for _ in range(REPS)), key=lambda found: part(found[0], 0.99))
    row = {"clients": CROWD, "delivered": len(ages), "p50 ms": part(ages, 0.5), "p99 ms": part(ages, 0.99)}
    table("one process, many clients", row | {"processor µs an event and client": each * 1e6})


def fast() -> None:
    for works in ("scripted", "gemini"):
        ages = min((asked(works) for _ in range(REPS)), key=lambda found: part(found, 0.5))
        table(f"question → first word ({works})", {"n": len(ages), "p50 ms": part(ages, 0.5), "p95 ms": part(ages, 0.95)})


def imports() -> None:
    ways = {
        "python": "pass",
        "google-cloud-firestore + functions-framework": "import google.cloud.firestore, functions_framework.aio",
        "functions/api": "import main",
        "functions/api, composed for the cloud": "import main; from auteryn import compose as c;"
        " c.composed(c.deployment({'AUTERYN_BACKEND': 'gcp', 'GOOGLE_CLOUD_PROJECT': 'p', 'AUTERYN_REGION': 'r',"
        " 'GEMINI_API_KEY': 'k'}), 'api')",
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(REPS + 2):
        for name, code in ways.items():
            took[name].append(imported(code))
    floor = min(took["google-cloud-firestore + functions-framework"])
    table("import", *({"process": n, "ms": min(all_), "x": min(all_) / floor} for n, all_ in took.items()))


ROLES: dict[str, Any] = {
    "worker": lambda home, turns, gap: asyncio.run(worker(Path(home), int(turns), float(gap))),
    "server": lambda home, works="": asyncio.run(server(Path(home), works)),
    "floor-writer": lambda folder, events, gap: floor_writer(Path(folder), int(events), float(gap)),
    "floor-server": lambda folder: floor_server(Path(folder)),
}
TABLES = {"sse": sse, "crowd": crowd, "fast": fast, "import": imports}

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ROLES:
        ROLES[sys.argv[1]](*sys.argv[2:])
    else:
        for name in sys.argv[1:] or TABLES:
            TABLES[name]()
