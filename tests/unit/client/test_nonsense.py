"""What a program cannot mean is refused where it is said, by name and rule; what goes wrong in it keeps nobody waiting."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import auteryn
from auteryn import Agent, Invalid, Unavailable
from auteryn.testing.scripted import ScriptedModel


def plain(sku: str) -> int:
    """A function that nobody made a tool of."""
    return len(sku)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tools": [plain]}, r"tools\[0\].*put @auteryn\.tool above"),
        ({"tools": plain}, "tools: .* must be a list"),
        ({"tools": ["web_fetch"]}, r"tools\[0\]: 'web_fetch' is no tool"),
        ({"model": "gemini-3-pro"}, "model: 'gemini-3-pro' .*AUTERYN_MODEL_FAST"),
    ],
)
def test_an_agent_is_not_made_of_what_is_no_tool_and_no_model(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        Agent(home=tmp_path / "home", **given)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("field", "say"),
    [
        ("options", lambda agent: agent.request_approval("Go?", "Yes")),
        ("options", lambda agent: agent.request_input("Which?", "choice", options="AB")),
        ("approvers", lambda agent: agent.request_approval("Go?", approvers="ann@example.com")),
        ("deliverables", lambda agent: agent.run("Write it", deliverables="report.md")),
        ("files", lambda agent: agent.run("Sum it", files="sales.csv")),
        ("files", lambda agent: agent.run("Sum it", files=Path("sales.csv"))),
        ("files['t']", lambda agent: agent.run("Sum it", files={"t": 5})),
        ("steps", lambda agent: agent.create_task_plan("All", steps="first, second")),
        ("steps", lambda agent: agent.create_task_plan("All", steps=5)),
        ("people", lambda agent: agent.run("Ask me", people="ann@example.com")),
        ("max_duration", lambda agent: agent.run("Wait", max_duration=60)),
        ("include_thoughts", lambda agent: agent.configure(include_thoughts="yes")),
        ("callback", lambda agent: agent.on("progress", 5)),
        ("run_id", lambda agent: agent.get_metrics(7)),
    ],
)
def test_one_text_is_no_list_and_nothing_is_begun_with_it(agent_at_home: Any, field: str, say: Any) -> None:
    agent = agent_at_home("hello")
    with pytest.raises(Invalid) as refused:
        say(agent)
    assert refused.value.field == field
    assert agent.tasks() == []


FORKED = """
import os, sys
from auteryn import Agent, WrongState
from auteryn.testing.scripted import ScriptedModel

home, model = sys.argv[1], ScriptedModel(["done"])
agent = Agent(home=home, model=model)
reading, writing = os.pipe()
if os.fork() == 0:
    for use in (lambda: agent.run("in the child"), lambda: Agent(home=home, model=model)):
        try:
            use()
        except WrongState as error:
            os.write(writing, str(error).encode())
    agent.close()
    os._exit(0)
os.wait()
print(os.read(reading, 4096).decode().count("'spawn'"), agent.run("in the parent"))
"""


def test_a_forked_process_is_told_that_nothing_works_in_it_instead_of_waiting_for_ever(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path / "home")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout.strip(), ended.stderr) == ("2 done", "")


def test_when_the_engine_is_ended_from_within_nobody_waits_and_the_home_opens_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @auteryn.tool(effect="read")
    async def stop() -> None:
        """End the engine, as only an interrupt of the whole program does."""
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    agent = Agent(home=tmp_path, model=ScriptedModel(lambda ask: "done" if ask.results else ask.call("stop")), tools=[stop])
    task = agent.run_async("Stop it")
    with pytest.raises(Unavailable, match="open it again"):
        task.result()
    assert "ended from within" in caplog.text
    with Agent(home=tmp_path, model=ScriptedModel(["went on"])) as again:
        assert again.task(task.id).result() == "went on"
