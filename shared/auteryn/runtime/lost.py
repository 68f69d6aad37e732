"""A run whose stored form cannot be read: it cannot end by itself, so whoever finds it tells its parent in its place (F29)."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from auteryn.errors import Corrupt, NotFound
from auteryn.plan.scheduler import running
from auteryn.runtime.engine import Engine
from auteryn.schema import event as e
from auteryn.schema import inbox as m
from auteryn.schema.run import Credits, Run, Share, Usage


async def tell_parent(engine: Engine, run_id: str, why: str) -> None:
    """Tell the parent that its step or tick has failed `corrupt`, so that it goes on by its join. Repeating it changes
    nothing."""
    store = engine.services.store
    parent_id = await store.parent_of(run_id)
    if parent_id is None:
        return  # `doctor` names it
    try:
        parent = await store.get(parent_id)
    except (NotFound, Corrupt):
        return
    message = end_of_lost(parent, run_id, why, engine.now())
    if message and await store.send(parent_id, message):
        await engine.wake(parent_id)


def end_of_lost(parent: Run, child: str, why: str, now: datetime) -> m.StepEnded | None:
    """The end of a child that cannot be read; None if the parent does not wait for it. Its whole share counts as used (L11)."""
    share = parent.shares.get(child, Share(llm_calls=0))
    used = Usage(llm_calls=share.llm_calls, credits=Credits(llm=share.credits or 0))
    lost = e.StepEnd(step=0, run=child, attempt=1, status="failed", error=f"corrupt: {why}", usage=used)
    plan = parent.plan
    if plan and (step := next((one for one in running(plan) if one.run == child), None)):
        end = replace(lost, step=step.id, attempt=step.attempt)
        return m.StepEnded(id=f"ended-{child}", sent_at=now, kind_of_child="step", of=plan.id, end=end)
    if schedule := next((one for one in parent.schedules if child in one.running), None):
        end = replace(lost, step=schedule.next_index - 1)
        return m.StepEnded(id=f"ended-{child}", sent_at=now, kind_of_child="tick", of=schedule.id, end=end)
    return None
