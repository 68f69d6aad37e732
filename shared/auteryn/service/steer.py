"""Messages to a run under way: what its agent hears or has not heard yet, changes of its plan and its title.

Each is a message to the run's inbox (L5): the run's own next slice acts on it, and what has happened before then stands.
"""

from __future__ import annotations

from datetime import datetime
from typing import get_args

from msgspec.structs import replace

from auteryn.errors import Invalid, NotFound, WrongState
from auteryn.plan.graph import left_out, reworded
from auteryn.schema import inbox as m
from auteryn.schema.record import Record, new_id
from auteryn.schema.run import Run
from auteryn.service.access import Access
from auteryn.service.new import LONGEST_TITLE

LONGEST_MESSAGE = 100_000
LONGEST_STEP = 20_000


class Unheard(Record):
    """Something that was said and that the agent has not heard."""

    id: str
    text: str
    by: str
    mode: m.When
    sent_at: datetime | None
    """None: the run has put it aside for later."""


async def send(access: Access, run_id: str, said: m.UserMessage) -> Run:
    _check(said.text)
    if said.mode not in get_args(m.When):
        raise Invalid("mode", said.mode, f"is none of {', '.join(map(repr, get_args(m.When)))}")
    found = await access.run(run_id)
    await access.engine.tell(found, said)  # which refuses a run that has ended, but not the repeat of what it has heard
    return found


async def unheard(access: Access, run_id: str) -> list[Unheard]:
    """What was put aside, then what lies in the inbox, in the order it was said; as it reads now."""
    inbox = await access.services.store.inbox(run_id)
    run = await access.run(run_id)  # after the inbox: what a slice takes from there meanwhile is found here
    words = {one.message: one.text for one in inbox if isinstance(one, m.Reword)}
    aside = [Unheard(id=one.id, text=one.text, by=one.by, mode="queue", sent_at=None) for one in run.queued]
    known = {one.id for one in aside}
    fresh = [
        Unheard(id=one.id, text=one.text, by=one.by, mode=one.mode, sent_at=one.sent_at)
        for one in inbox
        if isinstance(one, m.UserMessage) and one.id not in known
    ]
    return [replace(one, text=text) for one in (*aside, *fresh) if (text := words.get(one.id, one.text)) is not None]


async def reword(access: Access, run_id: str, message: str, text: str | None, by: str) -> Run:
    """The message says `text`, or nothing (None). Raises `WrongState` for one the agent has heard."""
    if text is not None:
        _check(text)
    found = await access.live(run_id, "sent a message")
    if message not in {one.id for one in await unheard(access, run_id)}:
        raise WrongState(f"message {message!r} of run {run_id!r} is not waiting any more: it was heard or taken back")
    await access.engine.tell(found, m.Reword(id=new_id("reword"), sent_at=access.now(), message=message, text=text, by=by))
    return found


async def rename(access: Access, run_id: str, title: str, by: str) -> Run:
    title = " ".join(title.split())
    if not 0 < len(title) <= LONGEST_TITLE:
        raise Invalid("title", title, f"must say something, in at most {LONGEST_TITLE} characters")
    found = await access.live(run_id, "renamed")
    await access.engine.tell(found, m.Rename(id=new_id("rename"), sent_at=access.now(), title=title, by=by))
    return found


async def change_step(access: Access, run_id: str, step: int, description: str | None, by: str) -> Run:
    """A new description for a step that has not begun. None leaves it out; steps that depended on it then depend on what it
    depended on.

    Raises `Invalid` for a step that has begun, `NotFound` where there is no such step.
    """
    if description is not None and len(description) > LONGEST_STEP:
        raise Invalid("description", len(description), f"is longer than {LONGEST_STEP:,} characters")
    found = await access.live(run_id, "changed")
    if found.plan is None or not 1 <= step <= len(found.plan.steps):
        raise NotFound(f"run {run_id!r} has no step {step}")
    _ = left_out(found.plan, step) if description is None else reworded(found.plan, step, description)
    said = m.ChangeStep(id=new_id("step"), sent_at=access.now(), step=step, description=description, by=by)
    await access.engine.tell(found, said)
    return found


def failed_steps(run: Run, step: int | None) -> list[int]:
    """The failed steps that are meant: one, or all. Raises `WrongState` where there is none."""
    failed = [one.id for one in run.plan.steps if one.status == "failed"] if run.plan else []
    if step is not None and step not in failed:
        raise WrongState(f"step {step} of run {run.id!r} has not failed; {'steps ' + str(failed) if failed else 'none'} have")
    if not failed:
        raise WrongState(f"run {run.id!r} is under way and has no failed step to try again")
    return failed if step is None else [step]


def _check(text: str) -> None:
    if not text.strip() or len(text) > LONGEST_MESSAGE:
        raise Invalid("text", text, f"must say something, in at most {LONGEST_MESSAGE:,} characters")
