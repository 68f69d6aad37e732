"""The runs a run creates: its steps and its ticks. Pure: what is returned is committed together with the facts."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from auteryn.agent.prompt import step_context
from auteryn.plan.graph import changes
from auteryn.plan.scheduler import ready, skip_blocked
from auteryn.policy.budget import held, near
from auteryn.policy.durations import moment
from auteryn.policy.gates import named_recipients
from auteryn.policy.limits import CHILDREN_PER_COMMIT, KEPT_FOR_CONCLUSION, RESERVE_CHUNK
from auteryn.schema import event as e
from auteryn.schema.change import Newborn
from auteryn.schema.fold import born
from auteryn.schema.plan import Step
from auteryn.schema.record import derived_id, new_id
from auteryn.schema.run import Input, Limits, Options, Parent, Run, Schedule, Share

Births = tuple[tuple[e.AnyEvent, ...], tuple[Newborn, ...]]


def title_of(text: str) -> str:
    """The first line of a task, short enough for a list; cut between two words where it can be."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if len(line) <= 80:
        return line
    words = line[:80].rpartition(" ")[0].rstrip(" ,;:.-–—")
    return (words if len(words) > 50 else line[:79]) + "…"


def birth(run: Run, task: Input, at: datetime, *more: e.AnyEvent) -> Newborn:
    """A new run and its first entry, ready for `Store.create`."""
    entry = e.Entry(seq=1, at=at, slice=0, commit=new_id("c"), events=(e.RunCreated(run=run, input=task), *more))
    return Newborn(run=born(entry), entry=entry, wake_at=at)


def advance(run: Run, task: Input, now: datetime) -> Births:
    """Everything that may start now: ready steps (blocked ones are skipped first) and due ticks; both may be empty."""
    events, children = list[e.AnyEvent](), list[Newborn]()
    if facts := near(run, now):
        return tuple(facts), ()
    if held(run) or run.closing:
        return (), ()
    if run.plan and run.status != "paused":
        if (plan := skip_blocked(run.plan)) is not run.plan:
            diff = changes(run.plan, plan)
            events.append(e.PlanRevised(plan=plan, diff=diff, note="steps that can no longer start are skipped"))
            run = replace(run, plan=plan)
        steps = ready(run.plan)[:CHILDREN_PER_COMMIT] if run.plan else ()
        if steps:
            started, children = _start_steps(run, task, steps, now)
            events.append(started)
    for schedule in run.schedules if run.status != "paused" else ():
        facts, newborn = _tick(run, task, schedule, now)
        events += facts
        children += newborn
    return tuple(events), tuple(children)


def fair_share(run: Run, waiting: int, *, at_least: int = 0) -> Share:
    """Calls and credits for one of `waiting` children: what is left, divided evenly, after something is kept for the
    conclusion. At least `at_least` credits, if that many are left.

    A share is promised to the child alone until it ends, so parallel children can never overspend together (L11).
    """
    free = run.limits.llm_calls - run.usage.llm_calls - run.promised_calls - KEPT_FOR_CONCLUSION
    calls = max(0, free // max(1, waiting))
    left = run.credits_left
    if left is None:
        return Share(llm_calls=calls)
    fair = max(0, left // (max(1, waiting) + 1))
    return Share(llm_calls=calls, credits=max(fair, min(at_least, left)))


def _start_steps(run: Run, whole: Input, steps: tuple[Step, ...], now: datetime) -> tuple[e.StepsStarted, list[Newborn]]:
    plan = run.plan
    assert plan is not None
    share, named = fair_share(run, _to_come(run)), _recipients(run, whole)
    starts, children = list[e.StepStart](), list[Newborn]()
    for step in steps:
        attempt = step.attempt + 1
        child = derived_id("run", run.id, plan.id, step.id, attempt)
        starts.append(e.StepStart(step=step.id, run=child, attempt=attempt, share=share))
        parent = Parent(run=run.id, root=run.root, kind="step", key=step.id, of=plan.id, attempt=attempt)
        context = step_context(whole.text or plan.goal, step, plan)
        task = Input(text=step.description, context=context, files=whole.files)
        children.append(birth(_child(run, child, parent, share, step.description, now, named), task, now))
    return e.StepsStarted(steps=tuple(starts)), children


def _to_come(run: Run) -> int:
    """Steps and ticks that have not begun, of the plan and all schedules: any of them may begin in one commit."""
    steps = sum(step.status == "pending" for step in run.plan.steps) if run.plan else 0
    return steps + sum(max(0, schedule.ticks - schedule.next_index) for schedule in run.schedules)


def _recipients(run: Run, whole: Input) -> tuple[str, ...]:
    """Recipients the owner named. Only a root run's task was written by the owner."""
    return run.recipients if run.parent else (*run.recipients, *named_recipients(whole.text))


def _tick(run: Run, whole: Input, schedule: Schedule, now: datetime) -> tuple[list[e.AnyEvent], list[Newborn]]:
    """The tick that is due, if one is. Missed grid points are handled by the schedule's policy, and each is accounted for."""
    index = schedule.next_index
    if index >= schedule.ticks or now < schedule.at(index):
        return [], []
    if schedule.running:
        overlapped = schedule.overlap == "skip" and schedule.started_at is not None and schedule.at(index) > schedule.started_at
        skip = e.TicksStarted(schedule=schedule.id, index=index, skipped=1, reason="the tick before is still running")
        return ([skip] if overlapped else []), []
    if schedule.catch_up != "all":
        index = min(schedule.ticks - 1, (now - schedule.start) // schedule.every)
    skipped = index - schedule.next_index
    due_at = schedule.at(index)
    late = now - due_at >= schedule.every
    if schedule.catch_up == "none" and late:
        return [e.TicksStarted(schedule=schedule.id, index=index, skipped=skipped + 1, reason="its time had passed")], []
    child = derived_id("run", run.id, schedule.id, index)
    share = fair_share(run, _to_come(run) - skipped)
    started = e.TicksStarted(
        schedule=schedule.id,
        index=index,
        run=child,
        due_at=due_at,
        share=share,
        skipped=skipped,
        reason=f"{skipped} earlier ticks were missed" if skipped else "",
    )
    parent = Parent(run=run.id, root=run.root, kind="tick", key=index, of=schedule.id)
    context = f"This is tick {index + 1} of {schedule.ticks} of the schedule {schedule.name!r}, due {moment(due_at)}."
    if schedule.last_result:
        context += f"\nResult of the tick before: {schedule.last_result}"
    task = Input(text=schedule.instruction, context=context, files=whole.files)
    born_as = _child(run, child, parent, share, schedule.instruction, now, _recipients(run, whole))
    return [started], [birth(born_as, task, now)]


def _child(run: Run, child: str, parent: Parent, share: Share, text: str, now: datetime, recipients: tuple[str, ...]) -> Run:
    options = run.options
    return Run(
        id=child,
        title=title_of(text),
        mode=run.mode,
        routing=run.routing,
        created_at=now,
        deadline_at=run.deadline_at,
        limits=Limits(llm_calls=share.llm_calls, credits=share.credits),
        owner=run.owner,
        options=Options(
            include_thoughts=options.include_thoughts,
            auto_retry=options.auto_retry,
            approve=options.approve,
            effects=options.effects,
            ask_when_stuck=options.ask_when_stuck,
            people=options.people,
            notify=options.notify,
        ),
        thrifty=run.thrifty,
        parent=parent,
        used_tools=run.used_tools,
        own_tools=run.own_tools,
        recipients=recipients,
        reserved_calls=min(share.llm_calls, RESERVE_CHUNK),
    )
