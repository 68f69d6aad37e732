"""A task under way is changed from a program, in a home and on a server alike."""

from __future__ import annotations

import asyncio
import threading

import pytest

from auteryn import Invalid, WrongState
from auteryn.testing.scripted import Ask, Line, call
from auteryn.tools.tool import tool

STEPS = [
    {"description": "Look around", "depends_on": []},
    {"description": "Buy it", "depends_on": [1]},
    {"description": "Tell", "depends_on": [2]},
]


def work(ask: Ask) -> Line:
    if ask.task.startswith("Work"):
        return call("plan_create", goal="Buy", steps=STEPS) if ask.turn == 0 else "bought"
    if "Look around" in ask.task and "did" not in ask.task and ask.turn == 0:
        return call("ask_approval", message="Seen?", options=["Yes", "No"])
    return f"did {ask.task}"


def until(found) -> None:
    while not found():
        threading.Event().wait(0.01)


def test_words_steps_and_the_title_are_changed_until_it_is_too_late(agent_of):
    agent = agent_of(work)
    task = agent.run_async("Work", mode="deep", effects="dry")
    until(agent.asks)
    task.send("be quick", mode="queue")
    (said,) = task.unheard()
    task.reword(said.id, "take your time")
    assert [(one.text, one.mode) for one in task.unheard()] == [("take your time", "queue")]
    task.reword(said.id, None)
    until(lambda: not task.unheard())
    with pytest.raises(WrongState, match="not waiting any more"):
        task.reword(said.id, "again")
    task.change_step(2, None)
    task.change_step(3, "Sing")
    with pytest.raises(Invalid, match="only steps that have not started"):
        task.change_step(1, "Look away")
    task.rename("Another title")
    (ask,) = agent.asks()
    agent.answer(ask.id, "Yes")
    task.result()
    progress = agent.get_task_progress(task.id)
    assert [step["status"] for step in progress["steps"]] == ["completed", "skipped", "completed"]
    assert "Sing" in progress["steps"][2]["result"]
    with pytest.raises(WrongState, match="cannot be renamed"):
        task.rename("Too late")


def test_who_cannot_wait_for_the_next_thought_interrupts(agent_of):
    begun = threading.Event()

    @tool(effect="read")
    async def mix() -> str:
        """Mix the paint, for ever."""
        begun.set()
        await asyncio.Event().wait()
        return "mixed"

    agent = agent_of(lambda ask: "in blue" if "make it blue" in str(ask.request.contents) else call("mix"), tools=[mix])
    task = agent.run_async("Paint", mode="deep")
    begun.wait()
    with pytest.raises(Invalid, match="mode"):
        task.send("make it blue", mode="now")
    task.send("make it blue", mode="interrupt")
    assert task.result() == "in blue"
