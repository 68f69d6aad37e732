"""The model has given a final text: is the run done, or what comes first?"""

from __future__ import annotations

import asyncio

from auteryn.agent.mind import Facts, Mind
from auteryn.agent.prompt import MISSING_DELIVERABLES, children_report, review_request
from auteryn.plan.scheduler import needs_review, over, running
from auteryn.policy.limits import DELIVERABLE_REMINDERS
from auteryn.schema import event as e
from auteryn.schema.record import derived_id
from auteryn.schema.run import ForSteps, Run, Verdict
from auteryn.tools.away import all_back


async def conclude(mind: Mind) -> Facts:
    """What follows a final text: a queued message, a wait for children, their report, missing deliverables, or the end.

    Empty while children are at work: then `mind.wait_for` says so.
    """
    run, thread = mind.run, mind.thread
    if run.queued:
        message = run.queued[0]
        return (e.Told(text=message.text, why="message", message=message.id, by=message.by),)
    if waits_for_children(run):
        mind.wait_for.append(ForSteps())
        return ()
    if run.plan and not _children_over(run):
        review = needs_review(run.plan)
        if thread.review_shown:
            return (e.PlanReviewed(steps=review),)
        return (e.Told(text=review_request(run.plan), why="review"),)
    if _unreported(mind):
        return (e.Told(text=children_report(run), why="report"),)
    verdicts, met = await _verified(mind)
    if missing := [verdict for verdict in verdicts if not verdict.ok]:
        lines = "\n".join(f"- {verdict.deliverable}: {verdict.detail}" for verdict in missing)
        if thread.reminders < DELIVERABLE_REMINDERS:
            return (e.Told(text=MISSING_DELIVERABLES.format(lines=lines), why="deliverables"),)
        message = f"the model says it is done, and {missing[0].deliverable!r} is not: {missing[0].detail}"
        return (e.RunFailed(reason="deliverable_missing", message=message, partial=thread.final, verdicts=verdicts),)
    return (*await _published(mind, met), e.RunCompleted(result=thread.final or "", verdicts=verdicts))


def waits_for_children(run: Run) -> bool:
    """Whether the run can only wait for a child to end: nobody has a message for the model, and no result is to be reviewed."""
    review = run.plan is not None and bool(needs_review(run.plan)) and not running(run.plan)
    return not (run.queued or _children_over(run) or review)


def nothing_left(mind: Mind) -> bool:
    """Whether a final text would end the run at once: no message is queued, no child is at work, nothing is to be verified."""
    run = mind.run
    return not (
        run.queued or run.options.deliverables or run.schedules or (run.plan and (not over(run.plan) or _unreported(mind)))
    )


async def _verified(mind: Mind) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """The verdict on every declared deliverable, and the files that meet them. What opens workbooks is imported only where
    something was declared."""
    declared = mind.run.options.deliverables
    if not declared:
        return (), ()
    from auteryn.agent.deliverables import verify
    from auteryn.agent.sent import sent, to_be_sent

    files = tuple(check for check in declared if to_be_sent(check) is None)
    messages = [check for check in declared if to_be_sent(check) is not None]
    await all_back(mind.files, mind.services.blobs)
    judged = await asyncio.to_thread(verify, files, mind.files)
    met = tuple(dict.fromkeys(one.path for one in judged if one.path))
    return (*(one.verdict for one in judged), *await sent(mind, messages)), met


async def _published(mind: Mind, met: tuple[str, ...]) -> Facts:
    """Files that were asked for and not handed over as they are now: whoever asked for them must be able to get them."""
    if not met:
        return ()
    from auteryn.tools.deliver import handed_over

    run, before, facts = mind.run, {one.path: one for one in mind.run.artifacts}, list[e.ArtifactPublished]()
    for path in met:
        known, id = before.get(path), derived_id("art", run.id, "deliverable", path)
        called = (known.title, known.description) if known else ()
        fact = await handed_over(mind.files, mind.services.blobs, path, run.id, id, *called)
        if known is None or known.sha256 != fact.artifact.sha256:
            facts.append(fact)
    return tuple(facts)


def _children_over(run: Run) -> bool:
    """Whether no child is at work and none will start. Past the deadline, or when told to conclude, nothing new starts."""
    plan_over = run.plan is None or over(run.plan) or (run.closing and not running(run.plan))
    return plan_over and all(schedule.over or (run.closing and not schedule.running) for schedule in run.schedules)


def _unreported(mind: Mind) -> bool:
    """Whether something has ended that the model has not been told of."""
    told = mind.thread.reported
    if "*" in told:
        return False
    plan_news = mind.run.plan is not None and mind.run.plan.id not in told
    return plan_news or bool(mind.run.schedules)
