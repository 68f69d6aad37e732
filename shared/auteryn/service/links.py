"""One-tap links: whoever holds one may give one answer to one question, until it expires or somebody has answered.

A link is a signed word, not a document: nothing has to be stored for it, and the question itself, which takes one answer, makes
it single-use. Opening a link shows what would be answered; only the form behind it answers, so a mail scanner decides nothing.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from auteryn.errors import NotAllowed, NotFound, WrongState
from auteryn.policy.durations import moment
from auteryn.policy.gates import may_answer
from auteryn.runtime.engine import Engine
from auteryn.schema.human import Answer, Ask
from auteryn.schema.record import Record
from auteryn.schema.run import Run
from auteryn.service import asks
from auteryn.service.access import Access
from auteryn.service.seal import Seal

PATH = "/a/"


class OneTap(Record):
    """What a signed link says."""

    ask: str
    owner: str
    by: str
    """In whose name it answers."""
    until: datetime
    option: str | None = None
    """The option it answers with; None: the answer is written into a form."""


class Link(Record):
    option: str | None
    url: str
    until: datetime


async def links(engine: Engine, run: Run, ask: Ask, by: str) -> list[Link]:
    """A link for each option, or one link to a form. Empty for somebody who may not answer, or without a public address."""
    if not engine.public_url or not may_answer(ask, by):
        return []
    seal, until = Seal(engine.services.store), ask.expires_at or run.deadline_at
    found = list[Link]()
    for option in ask.options or (None,):
        token = await seal.sign("answer", OneTap(ask=ask.id, owner=run.owner, by=by, until=until, option=option))
        found.append(Link(option=option, url=f"{engine.public_url.rstrip('/')}{PATH}{token}", until=until))
    return found


async def opened(engine: Engine, token: str) -> tuple[OneTap, Run, Ask]:
    """What the link stands for, while it can still answer. Raises `NotFound` for what was not signed here, `NotAllowed` for a
    link that has expired or whose holder's turn is over, `WrongState` for a question that is closed, naming who closed it."""
    tap = await _tap(engine, token)
    return (tap, *await _open(engine, tap))


async def answer_by(engine: Engine, token: str, written: str | None) -> Answer:
    """The link's answer, or what was written into its form; tapped twice, what it answered at first. Raises what `opened` and
    an answer raise."""
    tap = await _tap(engine, token)
    with suppress(WrongState):  # closed, perhaps by this very answer
        await _open(engine, tap)
    value = written if tap.option is None else tap.option
    return await asks.answer(Access(engine, tap.owner), tap.ask, asks.Said(value=value), tap.by, again=True)


async def answered_by(engine: Engine, token: str) -> Answer | None:
    """What this link's option has answered already. Raises what `opened` raises of the link itself."""
    tap = await _tap(engine, token)
    said = asks.Said(value=tap.option)
    return None if tap.option is None else await asks.said_before(Access(engine, tap.owner), tap.ask, said, tap.by)


# ---- pieces


async def _open(engine: Engine, tap: OneTap) -> tuple[Run, Ask]:
    """Run and question, while the link can still answer it."""
    run, ask = await asks.open_ask(Access(engine, tap.owner), tap.ask)
    if not may_answer(ask, tap.by):
        raise NotAllowed(f"it is no longer {tap.by}'s turn to answer: {', '.join(ask.approvers)} were asked instead")
    if tap.option is not None and tap.option not in ask.options:
        raise WrongState(f"{tap.option!r} can no longer be answered")
    return run, ask


async def _tap(engine: Engine, token: str) -> OneTap:
    tap = await Seal(engine.services.store).read("answer", token, OneTap)
    if tap is None:
        raise NotFound("this link is not one of ours, or it was changed on its way: open it exactly as it was sent")
    if engine.now() >= tap.until:
        raise NotAllowed(f"this link expired at {moment(tap.until)}")
    return tap
