"""The outbox: what a commit tells the world outside is stored with it, so that no crash loses or invents a notification."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import get_args

import msgspec
from msgspec.structs import replace

from auteryn.ports import Store
from auteryn.runtime.engine import Engine
from auteryn.schema import event as e
from auteryn.schema.change import Doc
from auteryn.schema.post import ENDPOINT, OVERLAP, POST, POSTS, ROTATED, Endpoint, EventType, Letter, Post, Secret
from auteryn.schema.record import derived_id
from auteryn.schema.run import Channel, Run

KNOWN = timedelta(seconds=30)
"""How long an owner's endpoints are served from memory."""


async def posts(engine: Engine, before: Run | None, run: Run, events: Sequence[e.AnyEvent], now: datetime) -> tuple[Doc, ...]:
    """The documents of everything these facts tell, one for each receiver; repeated, they have the same ids."""
    found = letters(before, run, events)
    if not found:
        return ()
    endpoints = await endpoints_of(engine, run.owner)
    out = list[Post]()
    for letter in found:
        out += [_post(run, letter, now, channel=one) for one in run.options.notify if letter.occasion in one.on]
        out += [_post(run, letter, now, endpoint=one) for one in endpoints if _wants(one, letter)]
    return tuple(doc_of(one, now) for one in out)


def letters(before: Run | None, run: Run, events: Sequence[e.AnyEvent]) -> list[Letter]:
    """What of these facts is worth telling. Steps tell only of their questions and notices; the root run tells of everything
    else."""
    out = list[Letter]()
    for event in events:
        match event:
            case e.AskOpened():
                out.append(Letter(type="run.waiting", occasion="waiting", subject=event.ask.id))
            case e.AskEscalated():
                count = sum(1 for ask in run.asks if ask.id == event.ask for _ in ask.escalate_to)
                out.append(Letter(type="run.waiting", occasion="waiting", subject=event.ask, count=1 + count))
            case e.AskReminded():
                out.append(Letter(type="run.reminded", occasion="waiting", subject=event.ask, count=event.count))
            case e.AskAnswered() if event.answer.how != "withdrawn":
                out.append(Letter(type="run.resumed", subject=event.answer.ask))
            case e.Notified():
                out.append(Letter(type="run.notified", occasion="news", subject=event.message, count=run.seq))
            case _ if run.parent is None:
                out += _of_whole_run(before, run, event)
            case _:
                pass
    return out


def doc_of(post: Post, at: datetime) -> Doc:
    return Doc(kind=POST, id=post.id, scope=POSTS, body=msgspec.to_builtins(post), at=at)


async def endpoints_of(engine: Engine, owner: str) -> tuple[Endpoint, ...]:
    """The owner's webhook endpoints, at most `KNOWN` old."""
    known = engine.endpoints.get(owner)
    if known is None or engine.now() - known[0] >= KNOWN:
        known = engine.endpoints[owner] = (engine.now(), await stored_endpoints(engine.services.store, owner))
    return known[1]


async def stored_endpoints(store: Store, owner: str) -> tuple[Endpoint, ...]:
    """The owner's webhook endpoints with all that signs for them, oldest first."""
    found = [msgspec.convert(doc.body, Endpoint) for doc in await store.docs(ENDPOINT, owner)]
    return tuple([_signing(one, await store.docs(ROTATED, one.id)) for one in found])


def _signing(endpoint: Endpoint, rotated: Sequence[Doc]) -> Endpoint:
    secrets = endpoint.secrets
    for doc in rotated:
        secrets = (Secret(text=doc.body), replace(secrets[0], until=doc.at + OVERLAP), *secrets[1:])
    return replace(endpoint, secrets=secrets)


# ---- pieces --------------------------------------------------------------------------------------------------


def _of_whole_run(before: Run | None, run: Run, event: e.AnyEvent) -> list[Letter]:
    match event:
        case e.SliceStarted() if before is not None and before.started_at is None and not before.asks:
            return [Letter(type="run.started", occasion="start")]
        case e.StepsEnded():
            done = [end for end in event.steps if end.status == "completed"]
            return [Letter(type="step.completed", subject=str(end.step), count=run.seq) for end in done]
        case e.BudgetReached():
            return [Letter(type="budget.reached")]
        case e.RunCompleted():
            verified = [Letter(type="deliverable.verified", subject=one.deliverable) for one in event.verdicts if one.ok]
            return [*verified, Letter(type="run.completed", occasion="done")]
        case e.RunFailed():
            return [Letter(type="run.failed", occasion="failed")]
        case e.RunCancelled():
            return [Letter(type="run.cancelled", occasion="failed")]
        case e.Digested():
            return [Letter(type="run.digest", occasion="daily", count=event.day)]
        case _:
            return []


def _post(run: Run, letter: Letter, now: datetime, *, channel: Channel | None = None, endpoint: Endpoint | None = None) -> Post:
    receiver = endpoint.id if endpoint else f"{channel.kind} {channel.to}" if channel else ""
    return Post(
        id=derived_id(POST, run.id, letter.type, letter.subject, letter.count, receiver),
        letter=letter,
        run=run.id,
        root=run.root,
        owner=run.owner,
        at=now,
        channel=channel,
        endpoint=endpoint.id if endpoint else None,
    )


def _wants(endpoint: Endpoint, letter: Letter) -> bool:
    return letter.type in (endpoint.types or _ALL)


_ALL = frozenset(get_args(EventType))
