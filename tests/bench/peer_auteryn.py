"""The peers' workload on Auteryn: model call -> tool call with 2 kB a turn, fan-out with a join, waiting runs, waking one.

Run by `run.py` beside the peers, with their marks, their payload and their kill switch.
"""

import os
import sys

sys.path.insert(0, os.environ["PEERS_FOLDER"])
import common as C

A = C.args()
import asyncio
import time
from datetime import timedelta
from pathlib import Path

from auteryn import compose
from auteryn.ports.model import ModelRequest
from auteryn.runtime.children import birth
from auteryn.schema.event import PlanCreated
from auteryn.schema.human import Answer
from auteryn.schema.inbox import Answered, answer_message_id
from auteryn.schema.message import Call, Reply, Tokens
from auteryn.schema.plan import Plan, Step
from auteryn.schema.routing import Decision
from auteryn.schema.run import Input, Limits, Run
from auteryn.tools.tool import ToolContext, tool

C.mark("imported")
N = A["n"]
MODE = A["mode"]
TASK = os.environ.get("RUN_ID", "t1")


class Fake:
    """Answers at once; which turn it is, is read off the conversation's length."""

    searches = False

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def model_id(self, role: str) -> str:
        return "fake"

    async def close(self) -> None: ...

    async def generate(self, request: ModelRequest, *, on_delta=None, spend=None) -> Reply:
        await spend(1, "")
        if MODE == "turns":
            return self.turn(len(request.contents) // 2)
        if MODE == "wait":
            return said(calls=[("ask_approval", {"message": "Go on?", "options": ["yes", "no"]})])
        if MODE == "wake":
            C.mark("model", 0)
            self.asked.set()
        return said("done")

    def turn(self, i: int) -> Reply:
        C.mark("model", i)
        return said(C.text(i), [("work", {"q": C.arg(i), "i": i})]) if i < N else said("done")


def said(text: str = "", calls: list | None = None) -> Reply:
    parts = ([{"text": text}] if text else []) + [{"functionCall": {"name": n, "args": a}} for n, a in calls or []]
    found = tuple(Call(name=n, args=a) for n, a in calls or [])
    return Reply(
        model="fake", content={"role": "model", "parts": parts}, finish="stop", text=text, calls=found, tokens=Tokens(prompt=9)
    )


@tool(effect="idempotent")
async def work(ctx: ToolContext, q: str, i: int) -> str:
    """One piece of work."""
    C.mark("tool", i)
    return C.result(i)


def new_run(name: str, now, **fields) -> Run:
    routing = Decision(mode="deep", stage="forced", confidence=1.0, sure=True, reason="bench")
    return Run(
        id=name,
        title="bench",
        mode="deep",
        routing=routing,
        created_at=now,
        deadline_at=now + timedelta(days=7),
        limits=Limits(llm_calls=100_000),
        **fields,
    )


async def ended(host, name: str, until=lambda run: run.terminal) -> Run:
    """Looked at every 10 ms: a watcher that reads the run after every commit would be measured with it."""
    while not until(run := await host.engine.services.store.get(name)):  # noqa: ASYNC110 - the store is asked on purpose
        await asyncio.sleep(0.01)
    return run


async def begin(host, name: str, text: str, *more, **fields) -> None:
    services, now = host.engine.services, host.engine.now()
    await services.store.create(birth(new_run(name, now, **fields), Input(text=text), now, *more))
    await services.queue.enqueue(name, now)


async def main() -> None:
    synchronous, _, more = (A["variant"] or "full").partition("+")
    settings = compose.Settings(home=Path(A["dir"]) / "home", synchronous=synchronous, max_slices=1000)
    model = Fake()
    host = compose.embedded(settings, model=model, tools=[work], builtin=bool(more) or MODE in ("wait", "wake"))
    await host.start()
    if MODE == "turns":
        if not A["resume"]:
            await begin(host, TASK, "go")
        await ended(host, TASK)
    elif MODE == "fanout":
        plan = Plan(id="plan_bench", steps=tuple(Step(id=i + 1, description=f"step {i}") for i in range(N)))
        await begin(host, TASK, "go", PlanCreated(plan=plan))
        run = await ended(host, TASK)
        assert run.status == "completed" and run.plan is not None and run.plan.done == N
        C.mark("join", run.plan.done)
    elif MODE == "wait":
        for first in range(0, N, 200):
            names = [f"w{i}" for i in range(first, min(N, first + 200))]
            await asyncio.gather(*(begin(host, name, C.result(int(name[1:]))) for name in names))
            for name in names:
                await ended(host, name, lambda run: run.status == "waiting")
    elif MODE == "wake":  # like the peers' five: one as soon as the one before has ended
        from auteryn.service.desk import Desk

        services = host.engine.services
        for k in range(5):
            name = f"w{N // 2 + k}"
            run = await services.store.get(name)
            C.mark("wake")
            answer = Answer(ask=run.asks[0].id, value="yes", by="bench", at=host.engine.now())
            said = Answered(id=answer_message_id(run.asks[0].id), sent_at=host.engine.now(), answer=answer)
            await host.engine.tell(run, said)
            await model.asked.wait()  # only then somebody watches: a watcher would be measured, too
            model.asked.clear()
            await Desk(host.engine).result(name)
    await host.close()


t0 = time.monotonic()
asyncio.run(main())
C.done(wall=time.monotonic() - t0)
