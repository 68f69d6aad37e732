"""The agent loop. It yields facts; the slice commits each before the loop goes on, so it never learns what a store is."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from auteryn.agent.calls import answer_calls
from auteryn.agent.conclude import conclude, waits_for_children
from auteryn.agent.mind import Facts, Mind
from auteryn.agent.turn import next_turn, out_of_time
from auteryn.agent.waits import settled
from auteryn.plan.scheduler import over
from auteryn.policy.limits import last_moment


async def think(mind: Mind) -> AsyncGenerator[Facts, None]:
    """Everything a run can do now, fact by fact. Ends when the run has ended or must wait.

    What it waits for is said by its open calls and by `mind.wait_for`.
    """
    while not mind.run.terminal:
        if mind.now() >= last_moment(mind.run):
            yield await out_of_time(mind)
        elif mind.thread.calls:
            async for facts in answer_calls(mind):
                yield facts
            if mind.thread.calls and resting(mind):
                return
        elif mind.thread.final is not None or _carries_out_a_given_plan(mind):
            facts = await conclude(mind)
            if not facts:
                return
            yield facts
        else:
            facts = await next_turn(mind)
            if facts:
                yield facts
            if mind.wait_for or not facts:
                return


def resting(mind: Mind) -> bool:
    """Whether the run can only go on waiting: no call of the model or of a tool is due."""
    if mind.now() >= last_moment(mind.run):
        return False
    if mind.thread.calls:
        return all(call.state == "suspended" and not settled(mind, call) for call in mind.thread.open_calls)
    return (mind.thread.final is not None or _carries_out_a_given_plan(mind)) and waits_for_children(mind.run)


def _carries_out_a_given_plan(mind: Mind) -> bool:
    """Whether the plan came with the task and is still at work: until it is over, or a result is to be looked at, the model has
    nothing to say."""
    run = mind.run
    if mind.thread.started or run.plan is None or mind.thread.review_shown:
        return False
    return not ((run.closing or over(run.plan)) and mind.thread.reported)
