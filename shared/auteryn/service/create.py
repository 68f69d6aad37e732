"""Create a run: a new one, or one that tries a failed run again; and what it takes over."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from auteryn.agent.taint import HEIRS, LABEL, label_of, read_with
from auteryn.errors import WrongState
from auteryn.routing.router import route
from auteryn.runtime.children import birth
from auteryn.runtime.dispatch import begin
from auteryn.schema import event as e
from auteryn.schema.change import Newborn
from auteryn.schema.plan import Plan, Step
from auteryn.schema.record import derived_id, new_id
from auteryn.schema.routing import Decision
from auteryn.schema.run import Input, Limits, Run
from auteryn.service.access import Access
from auteryn.service.advice import advice
from auteryn.service.new import NewRun, Request, checked_request, run_of
from auteryn.service.spend import check_spend
from auteryn.tools.looks import KIND as LOOKS
from auteryn.tools.looks import Watched, taken_over
from auteryn.tools.notes import KIND as NOTE
from auteryn.tools.workspace import Workspace

CHUNK_BYTES = 1 << 20


async def create(access: Access, new: NewRun) -> Run:
    """The new run, stored and on its way; with a key that was used before, the run it made then."""
    request = await asyncio.to_thread(checked_request, new) if new.files else checked_request(new)
    await check_spend(access, request.task.extra.get("request", ""))
    company = access.engine.company
    own_tools = company.own_tools if company else ()
    run = run_of(request, await _decided(access, request), access.owner, access.now(), own_tools)
    facts: tuple[e.AnyEvent, ...] = (e.PlanCreated(plan=request.plan),) if request.plan else ()
    if warning := advice(run.routing, new.input):
        facts = (*facts, e.Logged(level="warning", message=warning))
    files = access.engine.files
    if new.files:
        await files.given(run.id, partial(_place, given=new.files), access.now())
    made = await store_new(access, birth(run, request.task, run.created_at, *facts), key=new.key)
    if made.id != run.id:
        if new.files:
            await files.drop(run.id)
        await refuse_another(access, made, new.key, request.task)
    return made


async def store_new(access: Access, newborn: Newborn, *, key: str | None = None) -> Run:
    """Store the run and wake it when it wants its first slice. It exists even if the wake is lost (L3)."""
    made = await access.services.store.create(newborn, key=key)
    access.services.bus.tell(made.root, made.id, made.seq)
    if made.mode in access.engine.sits_on and newborn.wake_at is not None:
        await access.engine.hint(begin(access.engine, made.id))
    elif newborn.wake_at is not None:
        await access.engine.hint(access.services.queue.enqueue(made.id, newborn.wake_at))
    return made


async def again(access: Access, old: Run) -> Run:
    """A new run with the same task, files and notes, that keeps what the steps which completed have found and published.

    Asked for twice, it is the same run: `old` stays ended (L10), and has one successor.
    """
    await check_spend(access)
    [first] = await access.services.store.journal(old.id, limit=1)
    created = e.beginning(first)
    now = access.now()
    run = replace(
        created.run,
        id=new_id("run"),
        title=old.title,
        mode=old.mode,
        limits=Limits(llm_calls=old.limits.llm_calls, credits=old.limits.credits),
        created_at=now,
        deadline_at=now + (old.deadline_at - old.created_at),
        labels=heir(old, "retry_of"),
    )
    plan = _kept(old.plan, given=any(isinstance(event, e.PlanCreated) for event in first.events))
    await access.engine.files.copied(old.root, run.id, now)
    await copy_notes(access, old, run.id)
    facts: list[e.AnyEvent] = [e.PlanCreated(plan=plan)] if plan else []
    done = {step.run for step in plan.steps if step.run} if plan else set[str]()
    facts += [e.ArtifactPublished(artifact=one) for one in old.artifacts if one.run in done]
    made = await store_new(access, birth(run, created.input, now, *facts), key=f"retry of {old.id}")
    if made.id != run.id:
        await drop_copies(access, run.id)
    return made


async def _decided(access: Access, request: Request) -> Decision:
    """The mode: the caller's word; else DEEP for a plan; else the router's decision."""
    new = request.new
    if request.plan and new.mode == "auto":
        return Decision(mode="deep", stage="pattern", confidence=1.0, sure=True, reason="the task comes with a plan")
    return await route(request.task.text, new.mode, access.services.model)


def heir(old: Run, how: Literal["fork_of", "retry_of"]) -> dict[str, str]:
    """The labels of a run that begins with what another has done: the other's, but for whose heir that one was."""
    return {**{name: one for name, one in old.labels.items() if name not in HEIRS}, how: old.id}


async def refuse_another(access: Access, made: Run, key: str | None, task: Input) -> None:
    """Raises `WrongState` if the run of this key was created by a different request."""
    if await access.asked_for(made) != task.extra.get("request"):
        raise WrongState(
            f"idempotency key {key!r} belongs to run {made.id!r}, which was asked for with something else: "
            "send the same request, or use a new key"
        )


# ---- files and notes -----------------------------------------------------------------------------------------


def _place(files: Workspace, given: Mapping[str, bytes | Path]) -> None:
    """Put the files into the run's workspace: all or none."""
    try:
        for name, body in given.items():
            files.write(name, body if isinstance(body, bytes) else _chunks(body))
    except BaseException:
        shutil.rmtree(files.root, ignore_errors=True)
        raise


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


async def copy_notes(access: Access, old: Run, new: str, *, until: datetime | None = None) -> None:
    """Copy the notes of a tree and the looks at pages it watched, with `until` only those made by then; and what may stand in
    them and in its files (L14)."""
    store = access.services.store
    read = {str(doc.body) for doc in await store.docs(LABEL, old.root)}
    for label in read | read_with(old.used_tools, access.engine.registry):
        await store.put(label_of(new, label, access.now()), if_absent=True)
    for note in await store.docs(NOTE, old.root):
        if until is not None and note.at > until:
            break
        await store.put(replace(note, id=derived_id(NOTE, new, note.id), scope=new), if_absent=True)
    for page in await store.docs(LOOKS, old.root):
        if watched := taken_over(msgspec.convert(page.body, Watched), until):
            name = f"{new}/{page.id.partition('/')[2]}"
            await store.put(replace(page, id=name, scope=new, body=msgspec.to_builtins(watched)), if_absent=True)


async def drop_copies(access: Access, run: str) -> None:
    """Remove what was copied for a run that another request had created already: nobody else would find and erase it."""
    await access.engine.files.drop(run)
    for kind in (NOTE, LOOKS, LABEL):
        for doc in await access.services.store.docs(kind, run):
            await access.services.store.drop(kind, doc.id)


# ---- the plan of a second try --------------------------------------------------------------------------------


def _kept(plan: Plan | None, *, given: bool) -> Plan | None:
    """The plan with every step that did not complete pending again; None if no step of the model's own plan completed."""
    if plan is None or not (given or plan.done):
        return None
    steps = tuple(step if step.status == "completed" else _pending(step) for step in plan.steps)
    reviewed = tuple(seen for seen in plan.reviewed if plan.step(seen).status == "completed")
    return Plan(id=new_id("plan"), goal=plan.goal, steps=steps, reviewed=reviewed)


def _pending(step: Step) -> Step:
    return Step(id=step.id, description=step.description, depends_on=step.depends_on, join=step.join, review=step.review)
