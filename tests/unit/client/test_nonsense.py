"""What a program cannot mean is refused where it is said, by name and rule; what goes wrong in it keeps nobody waiting."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

import pytest

import auteryn
from auteryn import Agent, Invalid, Unavailable
from auteryn.client.options import AskOptions, Filter, RunOptions, TaskOptions
from auteryn.client.task import Task
from auteryn.schema.human import People
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import Channel
from auteryn.service.new import Budget
from auteryn.testing.scripted import ScriptedModel, call


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
        ("callback", lambda agent: agent.on("progress", asyncio.sleep)),
        ("mode", lambda agent: agent.run("Count", mode="")),
        ("mode", lambda agent: agent.estimate("Count", mode="")),
        ("of", lambda agent: agent.get_task_progress(7)),
        ("labels['team']", lambda agent: agent.run("Count", labels={"team": 5})),
        ("a name in labels", lambda agent: agent.run("Count", labels={5: "team"})),
        ("approvers[1]", lambda agent: agent.request_approval("Go?", approvers=["ann", None])),
        ("include_thoughts", lambda agent: agent.run("Think", include_thoughts="yes")),
        ("people.quorum", lambda agent: agent.run("Ask me", people=People(quorum="two"))),
        ("notify", lambda agent: agent.run("Tell", notify=Channel(kind="pigeon", to="roof"))),
        ("budget.credits", lambda agent: agent.run("Spend", budget=Budget(credits="all"))),
        ("steps[0]", lambda agent: agent.run("Go", steps=[StepDraft(description=5)])),
        ("text", lambda agent: agent.run("Go", key="\ud800")),
        ("since", lambda agent: agent.tasks(since=datetime(2026, 1, 1))),
        ("limit", lambda agent: agent.get_logs("run_1", limit=10**30)),
        ("steps", lambda agent: agent.estimate("Count", steps=-1)),
        ("timeout", lambda agent: agent.run("Count", timeout="long")),
    ],
)
def test_one_text_is_no_list_and_nothing_is_begun_with_it(agent_at_home: Any, field: str, say: Any) -> None:
    agent = agent_at_home("hello")
    with pytest.raises(Invalid) as refused:
        say(agent)
    assert refused.value.field == field
    assert agent.tasks() == []


BEYOND_TYPES: list[tuple[str, Callable[[Agent], Any]]] = [
    ("text", lambda agent: agent.run("half a \ud83d")),
    ("budget.credits", lambda agent: agent.run("Do it", budget={"credits": float("nan")})),
    ("budget.credit", lambda agent: agent.run("Do it", budget={"credit": 5})),
    ("files['gone.csv']", lambda agent: agent.run("Sum it", files=["/nowhere/gone.csv"])),
    ("deliverables[0]", lambda agent: agent.run("Write it", deliverables=["../report.md"])),
    ("deliverables.rows", lambda agent: agent.run("Write it", deliverables=[{"path": "a.csv", "rows": 3}])),
    ("tasks.status[0]", lambda agent: agent.tasks(status=["done"])),  # pyright: ignore[reportArgumentType]
]


@pytest.mark.proves("L15")
def test_what_has_the_type_and_no_sense_is_refused_by_the_same_name_at_home_and_for_a_server(agent_of: Any) -> None:
    agent = agent_of("hello")
    for field, say in BEYOND_TYPES:
        with pytest.raises(Invalid) as refused:
            say(agent)
        assert refused.value.field == field
    assert agent.tasks() == []


def unfit(kind: type[Any]) -> list[tuple[str, str]]:
    """Every public method of a class with each thing it can be told."""
    methods = [(name, method) for name, method in vars(kind).items() if isfunction(method) and not name.startswith("_")]
    options = {"run_async": RunOptions, "create_task_plan": TaskOptions, "request_approval": AskOptions, "tasks": Filter}
    return [
        (name, one.name)
        for name, method in methods
        for one in list(signature(method).parameters.values())[1:]
        if one.kind is not one.VAR_KEYWORD and name not in ("close", "started", "heard_out")
    ] + [(name, field) for name, shape in options.items() if name in vars(kind) for field in shape.__annotations__]


NEEDED = {"input": "x", "steps": [{"description": "x"}], "message": "x", "ask_id": "x", "value": "x", "event": "progress"}
NEEDED |= {"callback": print, "run_id": "run_1", "webhook_id": "x", "url": "https://example.com", "file": b"x", "text": "x"}
NEEDED |= {"step": 1, "description": "x", "title": "x", "path_or_id": "x", "schedule": "x"}
ANYTHING = {("answer", "value")}


def test_whatever_a_method_is_told_that_is_not_of_its_type_is_refused_by_name_and_nothing_is_begun(agent_of: Any) -> None:
    agent = agent_of("hello")
    task = Task("run_1", agent)
    for of, name, field in [(one, *pair) for one in (agent, task) for pair in unfit(type(one)) if pair not in ANYTHING]:
        method = getattr(of, name)
        needed = [one.name for one in signature(method).parameters.values() if one.kind is not one.VAR_KEYWORD]
        with pytest.raises(Invalid) as refused:
            next(iter(method(**{key: NEEDED[key] for key in needed if key in NEEDED} | {field: object()})))
        assert refused.value.field == field, (name, field)
    assert (agent.tasks(), agent.asks(), agent.webhooks()) == ([], [], [])


def test_a_call_that_python_itself_refuses_names_the_method(agent_at_home: Any) -> None:
    agent = agent_at_home("hello")
    with pytest.raises(TypeError, match=r"Agent.configure\(\): got an unexpected keyword argument 'temperature'"):
        agent.configure(temperature=1)
    with pytest.raises(TypeError, match=r"Agent.run\(\): missing a required argument: 'input'"):
        agent.run()


@pytest.mark.parametrize("words", ["effects", "mode", "approve", "at_budget"])
def test_a_word_a_field_does_not_know_makes_no_run_and_no_fork(agent_of: Any, words: str) -> None:
    agent = agent_of("hello")
    task = agent.run_async("hello")
    task.result()
    for begin in (lambda: agent.run_async("x", **{words: "\u202e"}), lambda: task.fork(effects="\u202e")):
        with pytest.raises(Invalid):
            begin()
    assert [one.id for one in agent.tasks()] == [task.id]


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, timedelta.max])
def test_whoever_waits_longer_than_any_run_lives_waits_for_its_end(agent_of: Any, timeout: Any) -> None:
    assert agent_of("hello").run("hello", timeout=timeout) == "hello"


@pytest.mark.parametrize("timeout", [float("-inf"), -1e300, timedelta.min, 0, -1])
def test_whoever_has_no_time_is_told_at_once_and_the_run_goes_on(agent_of: Any, timeout: Any) -> None:
    task = agent_of([call("ask_approval", message="Go?", options=["Yes", "No"])]).run_async("ask")
    with pytest.raises(TimeoutError, match="goes on"):
        task.result(timeout)
    with pytest.raises(Invalid, match="timeout: nan"):
        task.result(float("nan"))
    task.cancel()


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


OWN_HOME = """
import os, sys
import auteryn
from auteryn import Agent
from auteryn.testing.scripted import ScriptedModel

@auteryn.tool(effect="read")
def twice(n: int) -> int:
    '''Twice the number.'''
    return 2 * n

def works(home):
    model = ScriptedModel(lambda ask: f"it is {ask.results['twice'][0]['output']}" if ask.results else ask.call("twice", n=21))
    with Agent(home=home, model=model, tools=[twice]) as agent:
        return agent.run("Double 21", mode="deep")

first = Agent(home=sys.argv[1], model=ScriptedModel(["done"]))
if sys.argv[4] == "later":
    print(works(sys.argv[2]), flush=True)
child = os.fork()
if child == 0:
    print(works(sys.argv[3]), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(first.run("in the parent"))
"""


@pytest.mark.parametrize(("when", "worked"), [("at once", 1), ("later", 2)])
def test_a_forked_process_works_in_a_home_of_its_own(tmp_path: Path, when: str, worked: int) -> None:
    """As servers do that load the program before they fork off their workers."""
    command = [sys.executable, "-W", "ignore", "-c", OWN_HOME, *(str(tmp_path / name) for name in "abc"), when]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout.splitlines(), ended.stderr) == ([*["it is 42"] * worked, "done"], "")


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
