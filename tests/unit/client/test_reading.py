"""What a program reads of a run beside its result: the same in a home and on a server."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from auteryn.errors import Invalid, NotFound, WrongState
from auteryn.testing.scripted import call


def test_every_version_of_a_file_is_read_by_its_id(agent_of):
    def script(ask):
        if ask.turn == 4:
            return "done"
        write = call("file_write", path="a.txt", content=f"v{ask.turn}", mode="overwrite")
        return call("artifact_publish", path="a.txt") if ask.turn % 2 else write

    task = agent_of(script).run_async("Write it twice", mode="deep")
    task.result(20)
    old, new = task.versions("a.txt")
    assert old.at < new.at and task.versions(old.artifact.id) == [old, new]
    assert [task.artifact(one) for one in (old.artifact.id, new.artifact.id, "a.txt")] == [b"v0", b"v2", b"v2"]
    with pytest.raises(NotFound, match="published"):
        task.versions("b.txt")


def test_ledger_context_and_notes_say_what_the_model_has_in_mind(agent_of):
    note = call("note_write", section="decisions", text="We take the red one.")
    task = agent_of([note, "done"]).run_async("Choose a colour", mode="deep")
    task.result(20)
    ledger, context = task.ledger(), task.context()
    assert (ledger.goal, ledger.compactions) == ("Choose a colour", 0) and "We take the red one." in ledger.text
    assert (context.turn, context.compacted_at) == (2, None) and context.window > context.compact_at > 0
    assert list(task.scratchpad()) == ["decisions"]


def test_the_runs_of_steps_are_found_through_their_parent_and_runs_by_what_they_are(agent_of):
    agent = agent_of("done")
    parent = agent.run_async("Compare", steps=[{"description": "a"}, {"description": "b"}], labels={"team": "red"})
    parent.result(20)
    other = agent.run_async("What is X?")
    other.result(20)
    children = parent.children()
    assert len(children) == 2 and {child.status() for child in children} == {"completed"}
    assert [task.id for task in agent.tasks()] == [other.id, parent.id]
    assert [task.id for task in agent.tasks(1)] == [other.id]
    assert [task.id for task in agent.tasks(labels={"team": "red"}, status=["completed"])] == [parent.id]
    assert [task.id for task in agent.tasks(text="COMPARE", since=datetime.now(UTC) - timedelta(hours=1))] == [parent.id]
    assert not agent.tasks(status=["failed"]) and not agent.tasks(asking=True)
    with pytest.raises(Invalid, match="tasks"):
        agent.tasks(colour="red")


def test_schedules_are_listed_and_ended(agent_of):
    def script(ask):
        return call("schedule", every="6h", instruction="Look", until="7d") if ask.task == "Watch" and not ask.turn else "seen"

    agent = agent_of(script)
    task = agent.run_async("Watch", mode="deep")
    while not (found := task.schedules()):
        threading.Event().wait(0.01)
    assert [one.run for one in agent.schedules()] == [task.id] and found[0].schedule.name == "Look"
    task.end_schedule("Look")
    with pytest.raises(NotFound, match="nothing"):
        task.end_schedule("nothing")
    assert task.result(20) == "seen"


def test_a_question_is_read_by_its_id_and_what_is_spent_without_a_limit(agent_of):
    agent = agent_of([call("ask_approval", message="Go?", options=["Yes", "No"]), "done"])
    task = agent.run_async("Ask first", mode="deep")
    while not (asks := task.asks()):
        threading.Event().wait(0.01)
    assert agent.question(asks[0].id) == asks[0] and asks[0].message == "Go?"
    with pytest.raises(WrongState, match="AUTERYN_PUBLIC_URL"):
        agent.links(asks[0].id)
    agent.answer(asks[0].id, "Yes")
    assert task.result(20) == "done"
    assert not task.asks() and agent.question(asks[0].id).id == asks[0].id
    assert agent.spend().limit is None
