"""Small valid records for the conformance suites."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from auteryn.ports import Store
from auteryn.ports.store import Lease
from auteryn.schema import event as e
from auteryn.schema.change import Change, Newborn
from auteryn.schema.event import Entry
from auteryn.schema.fold import after, born
from auteryn.schema.inbox import UserMessage
from auteryn.schema.record import new_id
from auteryn.schema.routing import Decision
from auteryn.schema.run import Input, Limits, Parent, Run

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SOON = NOON + 10 * MINUTE
EVEN_LATER = NOON + timedelta(days=6)
FAILED = e.RunFailed(reason="error", message="the disk is full")
CANCELLED = e.RunCancelled(by="ann", receipt=e.Receipt())


def fresh(created_at: datetime = NOON, **fields: Any) -> Run:
    """A DEEP run of that moment, with a week's time. Its fields may be overridden."""
    return Run(
        **{
            "id": "run_1",
            "title": "t",
            "mode": "deep",
            "routing": Decision(mode="deep", stage="forced", confidence=1.0, sure=True, reason=""),
            "created_at": created_at,
            "deadline_at": created_at + timedelta(days=7),
            "limits": Limits(llm_calls=100),
            **fields,
        }
    )


def newborn(
    text: str = "Research ten competitors", *, run_id: str = "", parent: Run | None = None, **fields: object
) -> Newborn:
    """A run as `service` creates it. Fields of the run may be overridden; `wake_at` is its creation unless it is given."""
    wake_at = fields.pop("wake_at", NOON)
    run = fresh(
        **{
            "id": run_id or new_id("run"),
            "title": text[:60],
            "routing": Decision(mode="deep", stage="pattern", confidence=0.9, sure=True, reason="asks for research"),
            "limits": Limits(llm_calls=5_000),
            "parent": parent and Parent(run=parent.id, root=parent.root, kind="step", key=1, of="plan_1"),
            **fields,
        }  # pyright: ignore[reportArgumentType]
    )
    entry = Entry(seq=1, at=NOON, slice=0, commit=new_id("c"), events=(e.RunCreated(run=run, input=Input(text=text)),))
    return Newborn(run=born(entry), entry=entry, wake_at=wake_at)  # pyright: ignore[reportArgumentType]


def change(run: Run, *events: e.AnyEvent, **parts: object) -> Change:
    """The next commit of this run; without events, one that logs a line. Parts are `Change`'s own."""
    entry = Entry(
        seq=run.seq + 1,
        at=NOON,
        slice=1,
        commit=new_id("c"),
        events=events or (e.Logged(level="info", message=f"line {run.seq + 1}"),),
    )
    return Change(run=after(run, entry), entry=entry, **parts)  # pyright: ignore[reportArgumentType]


def completed() -> e.RunCompleted:
    return e.RunCompleted(result="done")


def message(text: str = "Use euros", *, message_id: str = "") -> UserMessage:
    return UserMessage(id=message_id or new_id("msg"), sent_at=NOON, text=text)


async def leased(store: Store, run: Run, holder: str = "one", until: datetime = SOON) -> Lease:
    lease = await store.take_lease(run.id, holder=holder, now=NOON, until=until)
    assert lease
    return lease
