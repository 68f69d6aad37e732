"""An agent in a home of its own; only the model is scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from auteryn import Agent
from auteryn.testing.scripted import ScriptedModel


@pytest.fixture
def agent_of(tmp_path):
    """`agent_of(script)`: an agent in this test's home; closed at the end."""
    agents = list[Agent]()

    def agent_of(script: Any = "done", **more: Any) -> Agent:
        model = script if isinstance(script, ScriptedModel) else ScriptedModel([script] if isinstance(script, str) else script)
        agents.append(Agent(home=tmp_path / "home", model=model, **more))
        return agents[-1]

    yield agent_of
    for agent in agents:
        agent.close()


@pytest.fixture
def answering():
    """`answering(agent, "Yes", …)`: somebody else answers the next questions, in this order."""
    people = list[threading.Thread]()

    def answering(agent: Agent, *values: Any) -> None:
        def person() -> None:
            done = set[str]()
            for value in values:
                _until(lambda: [ask for ask in agent.asks() if ask.id not in done])
                ask = next(ask for ask in agent.asks() if ask.id not in done)
                agent.answer(ask.id, value, by="ann")
                done.add(ask.id)

        people.append(threading.Thread(target=person, daemon=True))
        people[-1].start()

    yield answering
    for person in people:
        person.join(10)


def _until(found: Callable[[], Any]) -> None:
    while not found():
        threading.Event().wait(0.01)
