"""Routes of runs: start them, look at them, steer them."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from auteryn.api import bodies as b
from auteryn.api import views as v
from auteryn.api.auth import TICKET, Caller, may
from auteryn.api.call import Call, Reply, address, made
from auteryn.api.download import download
from auteryn.api.stream import event_frames, log_cursor, log_frames
from auteryn.errors import Invalid, NotAllowed, NotFound
from auteryn.ports.store import Page
from auteryn.schema.record import derived_id
from auteryn.schema.run import Run
from auteryn.service.bundle import name_of
from auteryn.service.desk import Desk
from auteryn.service.erase import Erased
from auteryn.service.fork import Fork

EVERYBODY = "*"
"""As an owner: all of them."""

# ---- start and look ------------------------------------------------------------------------------------------


async def create_run(call: Call[b.Empty, b.NewRunBody]) -> Reply | Response:
    """Start a run. With `Accept: text/event-stream` the answer is its event stream; hanging up does not stop the run."""
    new = call.body.request(call.idempotency_key)
    async with call.room.for_one(call.caller.owner, new):
        run = await call.desk.create(new)
    if call.wants_stream:
        frames = event_frames(call.desk.event_batches(run.id), call.pace)
        return call.stream(frames, 201, {"Location": address(run.id)})
    return made(v.view(run, call.now))


async def list_runs(call: Call[b.RunsQuery, None]) -> v.RunPage:
    """The runs that fit, newest first: the caller's own, or whose an admin names. A page may be short though more follow.
    Figures may be a second old."""
    query, owner = call.query, call.query.owner or call.caller.owner
    if owner != call.caller.owner and not may(call.caller, "admin"):
        raise NotAllowed(f"owner: only an admin may look at the runs of another owner than {call.caller.owner!r}")
    look = call.desk.everybodys if owner == EVERYBODY else Desk(call.engine, owner).runs
    page = await look(query.wanted, limit=query.limit, cursor=query.cursor)
    return _page(call, page)


def _page(call: Call[Any, Any], page: Page) -> v.RunPage:
    return v.RunPage(runs=tuple(v.line(run, call.now, page.at.get(run.id)) for run in page.runs), next=page.next)


async def get_run(call: Call[b.Empty, None]) -> v.RunView:
    """One run, whole."""
    return await _seen(call)


async def list_children(call: Call[b.PageQuery, None]) -> v.RunPage:
    """The runs of a run's steps and ticks, newest first."""
    page = await call.desk.children(call.path["run"], limit=call.query.limit, cursor=call.query.cursor)
    return _page(call, page)


async def run_of_plan(call: Call[b.Empty, None]) -> v.RunView:
    """The run that carries out a plan."""
    return await _view(call, await call.desk.run_of_plan(call.path["plan"]))


async def get_result(call: Call[b.ResultQuery, None]) -> Reply | v.RunView:
    """The run once it has ended: 200. If it has not within `wait` seconds, or this server stops before, as it is: 202."""
    waiting = asyncio.ensure_future(call.desk.result(call.path["run"], timedelta(seconds=call.query.wait)))
    closing = asyncio.ensure_future(call.closing.wait())
    try:
        await asyncio.wait((waiting, closing), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return await _view(call, await waiting)
    except TimeoutError:
        pass
    finally:
        for one in (waiting, closing):
            one.cancel()
        await asyncio.gather(waiting, closing, return_exceptions=True)
    return Reply(await _seen(call), 202, {"Retry-After": "1"})


async def get_progress(call: Call[b.Empty, None]) -> dict[str, Any]:
    """How far the plan is: plan_id, status, current_step, total_steps, steps."""
    return await call.desk.progress(call.path["run"])


async def get_metrics(call: Call[b.Empty, None]) -> dict[str, Any]:
    """Duration, calls, tokens and credits, over all slices, steps and retries."""
    return await call.desk.metrics(call.path["run"])


async def get_scratchpad(call: Call[b.Empty, None]) -> dict[str, list[str]]:
    """What the agent noted, by section."""
    return await call.desk.scratchpad(call.path["run"])


async def list_tools(call: Call[b.Empty, None]) -> v.Tools:
    """Every tool, and for those that cannot work here, why."""
    return v.Tools(tools=tuple(await call.desk.tools()))


# ---- follow --------------------------------------------------------------------------------------------------


async def stream_events(call: Call[b.EventsQuery, None]) -> Response:
    """What happened to the run and its children after `Last-Event-ID`, then what happens: `task_progress`, `thought`,
    `message`, `tool_call`, `tool_result`, `ask`, `log`, `status`, `step`, `reset`. 204 when there is nothing more to come:
    an `EventSource` then stops coming back."""
    after = call.request.headers.get("last-event-id") or call.query.after
    run = await call.desk.get(call.path["run"])
    if run.terminal and after is not None:
        rest = event_frames(call.desk.event_batches(run.id, after), call.pace)
        more = await anext(rest, None)
        await rest.aclose()
        if more is None:
            return Response(status_code=204)
    return call.stream(event_frames(call.desk.event_batches(run.id, after, call.query.tail), call.pace))


async def make_ticket(call: Call[b.Empty, b.Empty]) -> Reply:
    """An address of the run's event stream that needs no header."""
    run, caller = await call.desk.get(call.path["run"]), call.caller
    until = call.now + TICKET
    claims = Caller(owner=caller.owner, role="viewer", name=caller.name, key=caller.key, run=run.id, until=until)
    ticket = await call.auth.seal.sign("stream", claims)
    return Reply(v.Ticket(ticket=ticket, url=f"{address(run.id)}/events?ticket={ticket}", until=until), 201)


async def get_logs(call: Call[b.LogsQuery, None]) -> v.LogPage | Response:
    """Log lines of this level and above. With `Accept: text/event-stream`: and then every new line, until the run has ended."""
    run, query = await call.desk.get(call.path["run"]), call.query
    if call.wants_stream:
        return _log_stream(call, run)
    lines = await call.desk.logs(run.id, query.level, query.after, query.limit)
    read = query.after + query.limit
    return v.LogPage(lines=tuple(lines), next=read if read < run.seq else None)


def _log_stream(call: Call[b.LogsQuery, None], run: Run) -> Response:
    cursor = call.query.after, 0
    if last := call.request.headers.get("last-event-id"):
        found = log_cursor(last)
        if found is None:
            raise Invalid("Last-Event-ID", last, "is no id of a log line; leave it out to begin at the beginning")
        cursor = found
    return call.stream(log_frames(call.desk.log_pages(run.id, call.query.level, cursor[0]), call.pace, *cursor))


# ---- files ---------------------------------------------------------------------------------------------------


async def list_artifacts(call: Call[b.Empty, None]) -> v.Artifacts:
    """Published files, those of steps under way included."""
    return v.Artifacts(artifacts=await call.desk.artifacts(call.path["run"]))


async def get_artifact(call: Call[b.FileQuery, None]) -> Response:
    """A published file, the newest by its path or any version by its id, as it was published; one `Range` is served."""
    found = await call.desk.published(call.path["run"], call.path["path"])
    body = await call.desk.artifact(call.path["run"], found.id)
    return download(call.request, found, body, inline=call.query.inline)


async def list_versions(call: Call[b.Empty, None]) -> v.Versions:
    """What was published under a file's path, oldest first; each can be had by its id."""
    return v.Versions(versions=tuple(await call.desk.versions(call.path["run"], call.path["path"])))


async def list_revisions(call: Call[b.Empty, None]) -> v.Revisions:
    """How the run's plan changed, oldest first: each changed step as it was and as it then became."""
    return v.Revisions(revisions=tuple(await call.desk.revisions(call.path["run"])))


# ---- schedules -----------------------------------------------------------------------------------------------


async def list_schedules(call: Call[b.Empty, None]) -> v.Schedules:
    """Schedules under way in all the owner's runs, with their next ticks."""
    return v.Schedules(schedules=tuple(await call.desk.schedules()))


async def list_run_schedules(call: Call[b.Empty, None]) -> v.Schedules:
    """The schedules of a run, with their next ticks."""
    return v.Schedules(schedules=tuple(await call.desk.schedules(call.path["run"])))


async def end_schedule(call: Call[b.Empty, None]) -> v.RunView:
    """No tick of the schedule starts any more; the run goes on."""
    return await _view(call, await call.desk.end_schedule(call.path["run"], call.path["schedule"], call.caller.name))


# ---- steer ---------------------------------------------------------------------------------------------------


async def cancel_run(call: Call[b.Empty, b.Empty]) -> v.RunView:
    """Stop the run and its steps; what it has so far stays."""
    return await _view(call, await call.desk.cancel(call.path["run"], call.caller.name))


async def pause_run(call: Call[b.Empty, b.Empty]) -> v.RunView:
    """No new slice, call or step starts until the run is resumed."""
    return await _view(call, await call.desk.pause(call.path["run"], call.caller.name))


async def resume_run(call: Call[b.Empty, b.Empty]) -> v.RunView:
    """Let a paused run go on."""
    return await _view(call, await call.desk.resume(call.path["run"], call.caller.name))


async def send_message(call: Call[b.Empty, b.MessageBody]) -> v.RunView:
    """Say something to the agent while it works. Repeated word for word with the same `Idempotency-Key`, it is said once."""
    key, caller, said = call.idempotency_key, call.caller, call.body
    message_id = derived_id("m", caller.owner, key, said.mode, said.text) if key is not None else None
    run = await call.desk.send(call.path["run"], said.text, said.mode, by=caller.name, message_id=message_id)
    return await _view(call, run)


async def list_unheard(call: Call[b.Empty, None]) -> v.UnheardMessages:
    """What was said to the agent and it has not heard, oldest first."""
    return v.UnheardMessages(messages=tuple(await call.desk.unheard(call.path["run"])))


async def reword_message(call: Call[b.Empty, b.RewordBody]) -> v.RunView:
    """An unheard message says something else. 409 if it was heard; what is heard while this is on its way stays as it was."""
    path = call.path
    return await _view(call, await call.desk.reword(path["run"], path["message"], call.body.text, call.caller.name))


async def take_back_message(call: Call[b.Empty, None]) -> v.RunView:
    """An unheard message is never heard. 409 if it was."""
    return await _view(call, await call.desk.reword(call.path["run"], call.path["message"], None, call.caller.name))


async def rename_run(call: Call[b.Empty, b.RenameBody]) -> v.RunView:
    """A run under way gets another title."""
    return await _view(call, await call.desk.rename(call.path["run"], call.body.title, call.caller.name))


async def change_step(call: Call[b.Empty, b.StepBody]) -> v.RunView:
    """Other words for a step that has not begun."""
    said = call.body.description
    return await _view(call, await call.desk.change_step(call.path["run"], step_of(call), said, call.caller.name))


async def leave_out_step(call: Call[b.Empty, None]) -> v.RunView:
    """The plan goes on without a step that has not begun: what waited for it waits for what it waited for."""
    return await _view(call, await call.desk.change_step(call.path["run"], step_of(call), None, call.caller.name))


def step_of(call: Call[Any, Any]) -> int:
    number = call.path["step"]
    if not (number.isascii() and number.isdecimal()) or len(number) > 6:
        raise NotFound(f"run {call.path['run']!r} has no step {number!r}")
    return int(number)


async def retry_run(call: Call[b.Empty, b.RetryBody]) -> Reply | v.RunView:
    """A live run does its failed steps again: 200. Of one that failed or was cancelled, a new run takes over: 201."""
    old = await call.desk.get(call.path["run"])
    async with call.room.for_one(old.owner) if old.terminal else nullcontext():
        run = await call.desk.retry(old.id, call.body.step, call.caller.name)
    if run.id == old.id:
        return await _view(call, run)
    return made(v.view(run, call.now))


async def fork_run(call: Call[b.Empty, b.ForkBody]) -> Reply:
    """A new run with this one's past up to an event, and another future. What was recorded costs nothing; what it would do
    outside is asked of a person first, unless `effects` is `free`."""
    body = call.body
    wanted = Fork(after=body.after, input=body.input, message=body.message, effects=body.effects, key=call.idempotency_key)
    async with call.room.for_one(call.caller.owner):
        run = await call.desk.fork(call.path["run"], wanted)
    return made(v.view(run, call.now))


async def export_run(call: Call[b.Empty, None]) -> Response:
    """The run, its steps, notes and published files as one zip, with secrets struck out: a report others can look into."""
    run = await call.desk.get(call.path["run"])
    body = await call.desk.export(run.id)
    headers = {"Content-Disposition": f'attachment; filename="{name_of(run)}"', "Cache-Control": "no-store"}
    return Response(body, 200, headers, media_type="application/zip")


async def import_run(call: Call[b.Empty, bytes]) -> Reply:
    """Take in an exported run. It is yours now; one that had not ended is cancelled here. A repeat changes nothing."""
    run = await call.desk.take_in(call.body)
    return made(await _view(call, run))


async def erase_run(call: Call[b.Empty, None]) -> Erased:
    """Erase every copy of an ended run: journals, questions, notes, files, published files. `leftovers` is what was found
    afterwards all the same."""
    return await call.desk.erase(call.path["run"])


async def _seen(call: Call[Any, Any]) -> v.RunView:
    """The run as it is now, and what it and its steps wait for."""
    run = await call.desk.get(call.path["run"])
    return await _view(call, run, await call.desk.why_waiting(run.id))


async def _view(call: Call[Any, Any], run: Run, why: str | None = None) -> v.RunView:
    """The run with the figures it has in lists."""
    return v.view(await call.desk.counted(run), call.now, why)
