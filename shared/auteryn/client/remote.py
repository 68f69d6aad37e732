"""The desk of a server: what `service.desk.Desk` does in a home, done over HTTP. Same questions, same answers, same errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from auteryn.api import views as v
from auteryn.client.wire import FIRST_PAUSE, LONG_PATIENCE, Wire
from auteryn.errors import NotFound
from auteryn.schema.human import Answer, Ask
from auteryn.schema.inbox import When
from auteryn.schema.record import new_id, to_json
from auteryn.schema.run import TERMINAL, Artifact
from auteryn.service.asks import Question
from auteryn.service.context import Ledger, RunContext
from auteryn.service.delivery import StreamEvent
from auteryn.service.erase import Erased
from auteryn.service.estimate import Estimate, Forecast
from auteryn.service.fork import Fork
from auteryn.service.links import Link
from auteryn.service.listing import ANY, Planned, Wanted
from auteryn.service.logs import LogLine
from auteryn.service.memories import Memory
from auteryn.service.new import NewRun, checked_request
from auteryn.service.progress import Standing
from auteryn.service.reading import Revision
from auteryn.service.steer import Unheard
from auteryn.service.tree import Version
from auteryn.service.webhooks import Tested
from auteryn.service.why import RunHealth

WAIT = timedelta(seconds=50)
"""How long one request waits for a result; the next follows at once."""
PAGE = 5_000
"""Journal entries whose log lines are asked for at a time."""
_SENT = tuple(name for name in NewRun.__struct_fields__ if name not in ("files", "key"))
_DEFAULTS = {name: getattr(NewRun(), name) for name in _SENT}


class Remote:
    """One owner's runs on a server, reached with an API key."""

    def __init__(self, endpoint: str, api_key: str) -> None:
        self._wire = Wire(endpoint, api_key)

    # ---- runs

    async def create(self, new: NewRun) -> v.RunView:
        """A request without an idempotency key gets one, so a repeat after a lost reply is the same run. What can be seen to be
        wrong is refused before it is sent, in the words of a home."""
        checked_request(new)
        body = {name: msgspec.to_builtins(getattr(new, name)) for name in _SENT if getattr(new, name) != _DEFAULTS[name]}
        key = new.key if new.key is not None else new_id("key")
        files = await asyncio.to_thread(_parts, body, new) if new.files else None
        return await self._wire.read(v.RunView, "POST", "/v1/runs", body=body, files=files, key=key)

    async def get(self, run: str) -> v.RunView:
        return await self._wire.read(v.RunView, "GET", _of(run))

    async def runs(self, wanted: Wanted = ANY, *, limit: int = 50, cursor: str | None = None) -> v.RunPage:
        labels = [f"{name}={value}" for name, value in wanted.labels.items()]
        asked = {"status": list(wanted.status), "mode": wanted.mode, "text": wanted.text or None, "label": labels}
        asked |= {"since": _iso(wanted.since), "until": _iso(wanted.until), "least_credits": wanted.least_credits or None}
        query = {**asked, "asking": "true" if wanted.asking else None, "limit": limit, "cursor": cursor}
        return await self._wire.read(v.RunPage, "GET", "/v1/runs", query=query)

    async def children(self, run: str, *, limit: int = 500, cursor: str | None = None) -> v.RunPage:
        query = {"limit": limit, "cursor": cursor}
        return await self._wire.read(v.RunPage, "GET", _of(run, "children"), query=query)

    async def result(self, run: str, timeout: timedelta | None = None) -> v.RunView:
        """Long polls, one after the other, over restarts of the server."""
        loop, left = asyncio.get_running_loop(), WAIT if timeout is None else max(timeout, timedelta())
        give_up_at = loop.time() + left.total_seconds()
        while True:
            wait = min(WAIT, left)
            query = {"wait": wait.total_seconds()}
            answer = await self._wire.ask("GET", _of(run, "result"), query=query, wait=wait, patience=LONG_PATIENCE)
            found = msgspec.json.decode(answer.content, type=v.RunView)
            if answer.status_code == 200:
                return found
            left = WAIT if timeout is None else timedelta(seconds=give_up_at - loop.time())
            if timeout is not None and left <= timedelta():
                span = f"{timeout.total_seconds():g} s"
                raise TimeoutError(f"run {run!r} has not ended within {span}, and goes on. {found.why}")
            await asyncio.sleep(min(FIRST_PAUSE, left).total_seconds())

    # ---- steering

    async def cancel(self, run: str, by: str = "") -> v.RunView:
        """`by` is whoever the key belongs to."""
        return await self._tell(run, "cancel")

    async def pause(self, run: str, by: str = "") -> v.RunView:
        return await self._tell(run, "pause")

    async def resume(self, run: str, by: str = "") -> v.RunView:
        return await self._tell(run, "resume")

    async def send(
        self,
        run: str,
        text: str,
        mode: When = "steer",
        *,
        by: str = "",
        message_id: str | None = None,
    ) -> v.RunView:
        said, key = {"text": text, "mode": mode}, message_id or new_id("key")
        return await self._wire.read(v.RunView, "POST", _of(run, "messages"), body=said, key=key)

    async def unheard(self, run: str) -> list[Unheard]:
        return list((await self._wire.read(v.UnheardMessages, "GET", _of(run, "messages"))).messages)

    async def reword(self, run: str, message: str, text: str | None, by: str = "") -> v.RunView:
        return await self._put(_of(run, "messages", message), None if text is None else {"text": text})

    async def rename(self, run: str, title: str, by: str = "") -> v.RunView:
        return await self._put(_of(run), {"title": title})

    async def change_step(self, run: str, step: int, description: str | None, by: str = "") -> v.RunView:
        return await self._put(_of(run, "steps", str(step)), None if description is None else {"description": description})

    async def retry(self, run: str, step: int | None = None, by: str = "") -> v.RunView:
        return await self._tell(run, "retry", {} if step is None else {"step": step})

    async def fork(self, run: str, wanted: Fork) -> v.RunView:
        body = {name: value for name, value in msgspec.to_builtins(wanted).items() if name != "key"}
        return await self._wire.read(v.RunView, "POST", _of(run, "fork"), body=body, key=wanted.key or new_id("key"))

    async def export(self, run: str) -> bytes:
        return (await self._wire.ask("GET", _of(run, "bundle"))).content

    async def take_in(self, file: bytes) -> v.RunView:
        return await self._wire.read(v.RunView, "POST", "/v1/bundles", file=file, repeat=True)

    async def erase(self, run: str) -> Erased:
        return await self._wire.read(Erased, "DELETE", _of(run))

    async def schedules(self, run: str | None = None) -> list[Planned]:
        where = "/v1/schedules" if run is None else _of(run, "schedules")
        return list((await self._wire.read(v.Schedules, "GET", where)).schedules)

    async def end_schedule(self, run: str, schedule: str, by: str = "") -> v.RunView:
        return await self._wire.read(v.RunView, "DELETE", _of(run, "schedules", schedule))

    # ---- people

    async def asks(self, run: str | None = None, open_only: bool = True) -> list[Ask]:
        where = "/v1/asks" if run is None else _of(run, "asks")
        return list((await self._wire.read(v.Asks, "GET", where, query={"open": str(open_only).lower()})).asks)

    async def answer(
        self,
        ask_id: str,
        value: Any,
        by: str = "",
        remember: bool = False,
        *,
        until: datetime | None = None,
        args: dict[str, Any] | None = None,
    ) -> Answer:
        body = {"value": msgspec.to_builtins(value), "remember": remember, "until": msgspec.to_builtins(until), "args": args}
        where = f"/v1/asks/{_name(ask_id)}/answer"
        return await self._wire.read(Answer, "POST", where, body=body, key=new_id("key"))

    async def question(self, ask_id: str) -> Ask:
        return await self._wire.read(Ask, "GET", f"/v1/asks/{_name(ask_id)}")

    async def links(self, ask_id: str, by: str) -> list[Link]:
        where = f"/v1/asks/{_name(ask_id)}/links"
        return list((await self._wire.read(v.Links, "POST", where, body={"by": by}, repeat=True)).links)

    async def ask(self, question: Question, *, key: str | None = None) -> v.RunView:
        body = msgspec.to_builtins(question)
        return await self._wire.read(v.RunView, "POST", "/v1/asks", body=body, key=key or new_id("key"))

    async def answered(self, run: str) -> Answer | None:
        try:
            return await self._wire.read(Answer, "GET", _of(run, "answer"))
        except NotFound:
            return None

    # ---- what is kept for later runs

    async def memories(self) -> list[Memory]:
        return list((await self._wire.read(v.Memories, "GET", "/v1/memories")).memories)

    async def forget(self, memory: str) -> None:
        await self._wire.ask("DELETE", f"/v1/memories/{_name(memory)}")

    # ---- programs that hear of runs

    async def webhooks(self) -> list[v.Webhook]:
        return list((await self._wire.read(v.Webhooks, "GET", "/v1/webhooks")).webhooks)

    async def add_webhook(self, url: str, types: tuple[str, ...] = (), description: str = "") -> tuple[v.Webhook, str]:
        body = {"url": url, "types": types, "description": description}
        made = await self._wire.read(v.NewWebhook, "POST", "/v1/webhooks", body=body)
        return made.webhook, made.secret

    async def rotate_webhook(self, endpoint: str) -> tuple[v.Webhook, str]:
        made = await self._wire.read(v.NewWebhook, "POST", f"/v1/webhooks/{_name(endpoint)}/rotate", body={})
        return made.webhook, made.secret

    async def remove_webhook(self, endpoint: str) -> None:
        await self._wire.ask("DELETE", f"/v1/webhooks/{_name(endpoint)}")

    async def test_webhook(self, endpoint: str) -> Tested:
        return await self._wire.read(Tested, "POST", f"/v1/webhooks/{_name(endpoint)}/test", body={}, repeat=True)

    # ---- how far it is

    async def progress(self, run: str) -> dict[str, Any]:
        return await self._object(_of(run, "progress"))

    async def standing(self, run: str) -> Standing:
        found = await self.get(run)
        return Standing(**{name: getattr(found, name) for name in Standing.__struct_fields__})

    async def metrics(self, run: str) -> dict[str, Any]:
        return await self._object(_of(run, "metrics"))

    async def credits(self, run: str, *, detail: bool = False) -> dict[str, Any]:
        query = {"detail": "true"} if detail else None
        return await self._wire.read(dict[str, Any], "GET", _of(run, "credits"), query=query)

    async def estimate(self, text: str, mode: Literal["auto", "fast", "deep"] = "auto", steps: int = 0) -> Estimate:
        body = {"input": text, "mode": mode, "steps": steps}
        return await self._wire.read(Estimate, "POST", "/v1/estimate", body=body, repeat=True)

    async def forecast(self, run: str) -> Forecast:
        return await self._wire.read(Forecast, "GET", _of(run, "forecast"))

    async def context(self, run: str) -> RunContext:
        return await self._wire.read(RunContext, "GET", _of(run, "context"))

    async def ledger(self, run: str) -> Ledger:
        return await self._wire.read(Ledger, "GET", _of(run, "ledger"))

    async def spend(self) -> v.Spend:
        return await self._wire.read(v.Spend, "GET", "/v1/spend")

    async def health(self, run: str) -> RunHealth:
        return await self._wire.read(RunHealth, "GET", _of(run, "health"))

    # ---- what there is to read

    async def logs(self, run: str, level: str = "info", after: int = 0, limit: int | None = None) -> list[LogLine]:
        """At most `limit` journal entries' worth; all of them page by page, if there is none."""
        found, left = list[LogLine](), limit
        while True:
            query = {"level": level, "after": after, "limit": min(left or PAGE, PAGE)}
            page = await self._wire.read(v.LogPage, "GET", _of(run, "logs"), query=query)
            found += page.lines
            left = None if left is None else left - PAGE
            if page.next is None or (left is not None and left <= 0):
                return found
            after = page.next

    async def log_tail(self, run: str, level: str = "info", after: int = 0) -> AsyncIterator[LogLine]:
        over = False
        async with aclosing(self._wire.frames(_of(run, "logs"), {"level": level, "after": after})) as frames:
            async for one in frames:
                if one is not None:
                    yield msgspec.json.decode(one.data, type=LogLine)
                elif over:
                    return
                else:  # it ends when the run has, or to be begun anew: one more look after the end misses nothing
                    over = (await self.get(run)).state in TERMINAL

    async def events(self, run: str, after: str | None = None) -> AsyncIterator[StreamEvent]:
        async with aclosing(self._wire.frames(_of(run, "events"), {"after": after})) as frames:
            async for one in frames:
                if one is not None:
                    event = _event(one.id, one.event, msgspec.json.decode(one.data))
                    yield event
                    if event.run == run and event.kind == "status" and event.data["status"] in TERMINAL:
                        return

    async def artifacts(self, run: str) -> tuple[Artifact, ...]:
        return (await self._wire.read(v.Artifacts, "GET", _of(run, "artifacts"))).artifacts

    async def artifact(self, run: str, path_or_id: str) -> bytes:
        return (await self._wire.ask("GET", f"{_of(run, 'artifacts')}/{quote(path_or_id)}")).content

    async def versions(self, run: str, path_or_id: str) -> list[Version]:
        return list((await self._wire.read(v.Versions, "GET", f"{_of(run, 'versions')}/{quote(path_or_id)}")).versions)

    async def revisions(self, run: str) -> list[Revision]:
        return list((await self._wire.read(v.Revisions, "GET", _of(run, "revisions"))).revisions)

    async def scratchpad(self, run: str) -> dict[str, list[str]]:
        return await self._wire.read(dict[str, list[str]], "GET", _of(run, "scratchpad"))

    async def tools(self) -> list[dict[str, Any]]:
        return list((await self._wire.read(v.Tools, "GET", "/v1/tools")).tools)

    async def run_of_plan(self, plan_id: str) -> v.RunView:
        return await self._wire.read(v.RunView, "GET", f"/v1/plans/{_name(plan_id)}")

    # ---- the door itself

    async def session(self) -> v.Session:
        """Whom the key belongs to. Raises `Unauthenticated` for one that opens nothing, and at once if nobody answers."""
        return await self._wire.read(v.Session, "GET", "/v1/session", patience=timedelta())

    async def close(self) -> None:
        await self._wire.close()

    async def _tell(self, run: str, what: str, body: dict[str, Any] | None = None) -> v.RunView:
        """POST what may be repeated without harm: it is sent again when the reply was lost."""
        return await self._wire.read(v.RunView, "POST", _of(run, what), body=body or {}, repeat=True)

    async def _put(self, path: str, body: dict[str, Any] | None) -> v.RunView:
        """PATCH what is there, or DELETE it (None)."""
        return await self._wire.read(v.RunView, "DELETE" if body is None else "PATCH", path, body=body, repeat=body is not None)

    async def _object(self, path: str) -> dict[str, Any]:
        return await self._wire.read(dict[str, Any], "GET", path)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _of(run: str, *more: str) -> str:
    return "/".join(("/v1/runs", *map(_name, (run, *more))))


def _name(one: str) -> str:
    """One segment of a path, whatever characters it has."""
    return quote(one, safe="") or "-"


def _parts(body: dict[str, Any], new: NewRun) -> list[tuple[str, tuple[str | None, bytes, str]]]:
    """The form that carries files: the request itself, then one part a file."""
    parts: list[tuple[str, tuple[str | None, bytes, str]]] = [("run", (None, to_json(body), "application/json"))]
    for name, given in new.files.items():
        raw = given.read_bytes() if isinstance(given, Path) else given
        parts.append(("files", (name, raw, "application/octet-stream")))
    return parts


def _event(event_id: str, kind: Any, data: dict[str, Any]) -> StreamEvent:
    """The frame's data are the event's own fields and, beside them, whose it is and when."""
    run, at, delta = data.pop("run_id"), data.pop("at"), data.pop("delta")
    return StreamEvent(id=event_id, kind=kind, run=run, data=data, at=at and datetime.fromisoformat(at), delta=delta)
