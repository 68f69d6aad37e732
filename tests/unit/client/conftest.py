"""An agent in a home of its own, or on a server: the same agent. Only the model is scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from auteryn import Agent
from served import both_ways


@pytest.fixture(params=["home", "server"])
def agent_of(request, tmp_path):
    """`agent_of(script)`: an agent whose runs live in this test's home, worked in here or through a server."""
    with both_ways(tmp_path, request.param) as agent_of:
        yield agent_of


@pytest.fixture
def agent_at_home(tmp_path):
    """`agent_at_home(script)`: an agent in this test's home; closed at the end."""
    with both_ways(tmp_path, "home") as agent_of:
        yield agent_of


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
