"""The SDK: a synchronous face, one engine a home, tasks that outlive the program."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import pydoc
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

import auteryn
from auteryn import Agent, Invalid, NotFound, RunCancelled, RunFailed, Task, Unavailable, WrongState
from auteryn.client.world import world_of
from auteryn.errors import AuterynError, RateLimited
from auteryn.testing.clock import SkippingClock
from auteryn.testing.emulators.servers import held_port
from auteryn.testing.scripted import ScriptedModel, safety


@auteryn.tool(effect="read")
async def forever(ctx) -> str:
    """Rest until somebody stops it."""
    await ctx.clock.sleep(timedelta(hours=1))
    return "rested"


@auteryn.tool(effect="read")
def odd(ctx, fails: bool) -> object:
    """Give what no journal can hold."""
    ctx.log("a name of another encoding: \udcff")
    if fails:
        raise OSError("no file \udcff")
    return {"name": "\udcff", "kinds": {1}, "what": object}


def curious(ask):
    if not ask.results:
        return [ask.call("odd", fails=False), ask.call("odd", fails=True)]
    return " and ".join(str(seen) for seen in ask.results["odd"])


def resting(ask):
    return "rested" if ask.results else ask.call("forever")


# ---- importing, opening, closing -----------------------------------------------------------------------------


def test_importing_the_package_loads_no_engine_and_no_google():
    heavy = ("auteryn.", "sqlite3", "google.genai", "msgspec", "asyncio")
    code = f"import sys, auteryn; print(*[m for m in sys.modules if m.startswith({heavy})])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_every_public_name_is_there():
    for name in auteryn.__all__:
        assert name in pydoc.render_doc(getattr(auteryn, name), renderer=pydoc.plaintext)
    with pytest.raises(AttributeError, match="nothing"):
        _ = auteryn.nothing  # pyright: ignore[reportAttributeAccessIssue]
    assert set(auteryn.__all__) <= set(dir(auteryn))


def test_agents_of_one_home_share_one_engine_and_cannot_disagree_on_the_model(agent_at_home, tmp_path):
    first = agent_at_home("done")
    second = Agent(home=tmp_path / "home", tools=[forever])
    assert first.world is second.world
    assert "forever" in [tool["name"] for tool in first.tools()]
    Agent(home=tmp_path / "home", tools=[forever])
    with pytest.raises(WrongState, match="another model"):
        Agent(home=tmp_path / "home", model=ScriptedModel(["other"]))


def test_what_cannot_be_opened_is_refused_plainly_and_no_key_is_shown(tmp_path):
    with held_port() as port:
        nowhere = f"http://127.0.0.1:{port}"
        for wrong, why in (
            ({"endpoint": nowhere, "api_key": "auteryn_a_secret"}, "does not answer"),
            ({"endpoint": nowhere}, "api_key"),
            ({"endpoint": "example.com", "api_key": "auteryn_a_secret"}, "endpoint"),
            ({"endpoint": nowhere, "api_key": "auteryn_a_secret", "home": tmp_path}, "home"),
        ):
            with pytest.raises(AuterynError, match=why) as met:
                Agent(**wrong)
            assert "secret" not in str(met.value)
        with pytest.raises(Invalid, match="GEMINI_API_KEY") as refused:
            Agent(api_key="AIzaSecret", home=tmp_path)
        assert "AIzaSecret" not in str(refused.value)


def test_whoever_waits_when_the_home_is_closed_is_told(agent_at_home):
    agent = agent_at_home(resting, tools=[forever])
    task = agent.run_async("Rest", mode="deep")
    met = list[BaseException]()

    def wait() -> None:
        try:
            task.result()
        except Unavailable as error:
            met.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert next(task.events()).kind == "status"
    agent.close()
    waiting.join(10)
    assert len(met) == 1
    with pytest.raises(Unavailable, match="was closed"):
        task.status()


def test_whoever_asks_as_the_home_is_closed_is_told(agent_at_home, monkeypatch):
    """Between the look whether it is open and the call nobody else closes it, or the call would wait for ever."""
    agent = agent_at_home(["done"])
    task = agent.run_async("Do it")
    task.result()
    begin, closing = asyncio.run_coroutine_threadsafe, threading.Thread(target=agent.close)

    def meanwhile(work, loop):
        monkeypatch.undo()
        closing.start()
        closing.join(0.5)  # it is done, or waits for the call to be known
        return begin(work, loop)

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", meanwhile)
    with contextlib.suppress(Unavailable):  # it may just have had its answer
        task.status()
    closing.join()


def test_from_the_engines_own_thread_it_says_what_to_do_instead(agent_at_home):
    met = list[str]()

    @auteryn.tool(effect="read")
    async def nested(ctx) -> str:
        """Ask the agent from within."""
        try:
            agents[0].run("What is X?")
        except WrongState as error:
            met.append(str(error))
        return "ok"

    agents = [agent_at_home(lambda ask: "ok" if ask.results else ask.call("nested"), tools=[nested])]
    assert agents[0].run("Hello") == "ok"
    assert "asyncio.to_thread" in met[0]


@pytest.mark.proves("P31", "P40", "P94")
def test_a_program_that_was_killed_leaves_a_task_that_the_next_one_finishes(agent_at_home, tmp_path):
    code = """
import sys, threading
import auteryn
from datetime import timedelta
from auteryn.testing.scripted import ScriptedModel
@auteryn.tool(effect="read")
async def forever(ctx) -> str:
    "Rest."
    print("resting", flush=True)
    await ctx.clock.sleep(timedelta(hours=1))
agent = auteryn.Agent(home=sys.argv[1], model=ScriptedModel(lambda ask: ask.call("forever")), tools=[forever])
print(agent.run_async("Rest", mode="deep").id, flush=True)
threading.Event().wait(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "home")], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        said = {program.stdout.readline().strip(), program.stdout.readline().strip()}
        program.kill()
    [run] = said - {"resting"}

    @auteryn.tool(name="forever", effect="read")
    async def at_once(ctx) -> str:
        """Rest."""
        return "rested"

    task = agent_at_home(lambda ask: "back again" if ask.results else ask.call("forever"), tools=[at_once]).task(run)
    assert task.result(30) == "back again"


@pytest.mark.proves("P30", "P40")
def test_a_script_may_end_at_once_and_its_task_is_carried_out_by_whoever_opens_the_home(agent_at_home, tmp_path):
    code = """
import sys, auteryn
from auteryn.testing.scripted import ScriptedModel
agent = auteryn.Agent(home=sys.argv[1], model=ScriptedModel(["done"]))
print(agent.run_async("What is X?").id)
"""
    argv = [sys.executable, "-c", code, str(tmp_path / "home")]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert not ended.stderr
    assert agent_at_home("done").task(ended.stdout.strip()).result(30) == "done"


# ---- tasks ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("P34", "P91", "P92", "P41")
def test_results_are_text_with_their_run_and_failures_are_typed(agent_of):
    agent = agent_of(
        lambda ask: safety() if "bad" in ask.task else resting(ask) if "rest" in ask.task else "42", tools=[forever]
    )
    good = agent.run("What is 6*7?")
    assert good == "42" and isinstance(good, str) and agent.task(good.run_id).status() == "completed"
    assert (good.artifacts, good.verdicts) == ((), ())
    with pytest.raises(RunFailed, match="declined") as failed:
        agent.run("bad", mode="fast")
    assert failed.value.reason == "model_refused"
    slow = agent.run_async("rest", mode="deep")
    with pytest.raises(TimeoutError, match="goes on"):
        slow.result(0.05)
    assert slow.status() == "running"
    slow.cancel()
    slow.cancel()
    with pytest.raises(RunCancelled):
        slow.result(10)
    assert slow.status() == "cancelled"
    assert repr(slow) == f"Task('{slow.id}')"
    with pytest.raises(NotFound):
        agent.task("run_nothing")
    assert agent.task(slow.id).retry().id != slow.id


@pytest.mark.proves("P33", "P91")
def test_the_status_is_a_plain_word_with_the_day_and_the_steps_behind_it(tmp_path):
    def script(ask):
        return RateLimited("later", retry_after=timedelta(days=3)) if ask.task.startswith("step 4") else "ok"

    clock = SkippingClock()
    world = world_of(tmp_path / "home", model=ScriptedModel(script), clock=clock)
    agent = Agent(home=tmp_path / "home")
    steps = [{"description": f"step {n}", "depends_on": [n - 1] if n > 1 else []} for n in range(1, 7)]
    plan = agent.create_task_plan("Research competitors", steps)
    for event in plan.task.events():
        if event.run != plan.task.id and event.kind == "status" and event.state == "waiting":
            break
    clock.jump(timedelta(hours=26))
    status = plan.task.status()
    world.close()
    assert status == "running" and status in ("pending", "running", "completed", "failed")
    assert status.detail == "Day 2 of 7, Step 3/6 complete"
    assert (status.day, status.days, status.step, status.steps, status.state) == (2, 7, 3, 6, "waiting")
    assert status.why.startswith("It waits for step 4. Step 4 waits until 2026-01-08 09:00 UTC, when the model")


def test_a_paused_task_can_be_steered_and_resumed(agent_of):
    agent = agent_of(lambda ask: ask.last if "owner" in ask.last else resting(ask), tools=[forever])
    task = agent.run_async("rest", mode="deep")
    for event in task.events():
        if event.kind == "tool_call":
            break
    task.pause()
    for event in task.events():
        if event.kind == "status" and event.state == "paused":
            break
    task.cancel()
    with pytest.raises(RunCancelled):
        task.result(10)
    with pytest.raises(WrongState, match="cancelled"):
        task.send("hello")


def test_a_task_is_forked_where_it_went_wrong_and_erased_when_it_is_no_longer_wanted(agent_of):
    agent = agent_of(lambda ask: f"{ask.last}, then" if "owner" in ask.last else "first")
    task = agent.run_async("Say something")
    assert task.result(10) == "first"
    events = list(task.events())
    fork = task.fork(message="Say more")
    assert fork.result(10).endswith("Message from the owner: Say more, then")
    assert fork.id != task.id and task.fork(events[0], input="Say nothing", effects="free").result(10) == "first"
    with pytest.raises(Invalid, match="after"):
        task.fork("1-nonsense")
    erased = task.erase()
    assert (erased.runs, erased.leftovers) == ((task.id,), ())
    with pytest.raises(NotFound):
        task.status()
    assert fork.result(10).endswith(", then")


# ---- configuring ---------------------------------------------------------------------------------------------


@pytest.mark.proves("P93", "P26", "P27")
def test_what_is_configured_holds_for_later_runs_and_a_run_may_say_otherwise(agent_of):
    agent = agent_of("done")
    agent.configure(mode="deep", include_thoughts=True, max_duration="2d", auto_retry=False)
    agent.configure(max_duration="36h")

    def run_of(task: Task):
        return agent.world.call(agent.world.desk.get(task.id))

    run = run_of(agent.run_async("What is X?"))
    assert (run.mode, run.options.include_thoughts, run.options.auto_retry) == ("deep", True, False)
    assert run.deadline_at - run.created_at == timedelta(hours=36)
    assert run_of(agent.run_async("What is X?", mode="fast", include_thoughts=False)).options.include_thoughts is False
    for wrong in ({"mode": "quick"}, {"max_duration": "8d"}, {"max_duration": "long"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            agent.configure(**wrong)
    assert run_of(agent.run_async("What is X?")).mode == "deep"


@pytest.mark.proves("L15")
def test_options_of_a_run_are_read_as_people_write_them(agent_of, tmp_path):
    (tmp_path / "a.csv").write_text("x")
    agent = agent_of("done")
    task = agent.run_async(
        "What is X?",
        files=[tmp_path / "a.csv"],
        budget={"credits": 5},
        deliverables=["out/*.xlsx", {"path": "b.txt", "min_bytes": 3}],
        labels={"team": "a"},
        title="Mine",
    )
    run = agent.world.call(agent.world.desk.get(task.id))
    assert (run.title, run.limits.credits, run.options.deliverables[1].min_bytes) == ("Mine", 5_000, 3)
    for wrong, field in (
        ({"budget": {"euros": 1}}, "budget"),
        ({"deliverables": [{"size": 1}]}, "deliverables"),
        ({"steps": [{"do": "it"}]}, "steps"),
        ({"speed": 1}, "speed"),
    ):
        with pytest.raises(Invalid, match=field):
            agent.run_async("What is X?", **wrong)
    with pytest.raises(Invalid, match="steps"):
        agent.create_task_plan("nothing to do")


# ---- watching ------------------------------------------------------------------------------------------------


@pytest.mark.proves("P83")
def test_callbacks_hear_of_progress_until_they_unsubscribe_and_their_errors_harm_nobody(agent_of, caplog):
    agent = agent_of("done")
    heard = list[tuple[int, int, str]]()

    def broken(event) -> None:
        raise RuntimeError("callback broke")

    agent.on("progress", broken)
    stop = agent.on("progress", lambda event: heard.append((event.current_step, event.total_steps, event.status)))
    steps = [{"description": "a"}, {"description": "b", "depends_on": [1]}]
    agent.create_task_plan("two", steps).task.result(10)
    assert heard[0] == (0, 2, "in_progress") and heard[-1] == (2, 2, "completed")
    assert "callback broke" in caplog.text
    stop()
    before = len(heard)
    agent.create_task_plan("two", steps).task.result(10)
    assert len(heard) == before
    with pytest.raises(Invalid, match="none of progress"):
        agent.on("progres", print)


def test_a_callback_may_ask_for_the_result_and_an_event_says_what_it_has(agent_of):
    agent = agent_of("done")
    heard = list[str]()

    def ask_back(event) -> None:
        if event.status == "completed":
            heard.append(agent.task(event.run).result(5))
            with pytest.raises(AttributeError, match=r"has no 'speed'; it has .*current_step"):
                _ = event.speed

    agent.on("progress", ask_back)
    assert agent.run("What is X?") == "done"
    assert heard == ["done"]


def test_a_listener_may_come_while_another_thread_hears_a_run_out(agent_at_home, monkeypatch):
    agent = agent_at_home("done")
    first, second = agent.run_async("What is X?"), agent.run_async("What is Y?")
    plain = Task.status

    def meanwhile(task):
        agent.heard_out(first.id)
        agent.heard_out(second.id)
        return plain(task)

    monkeypatch.setattr(Task, "status", meanwhile)
    agent.on("message", print)()
    assert [task.result(10) for task in (first, second)] == ["done", "done"]


def test_the_newest_run_is_meant_when_none_is_named_and_a_plan_is_found_by_its_id(agent_of, tmp_path):
    agent = agent_of("done")
    with pytest.raises(NotFound, match="no run"):
        agent.get_task_progress()
    plan = agent.create_task_plan("one", [{"description": "a"}])
    plan.task.result(10)
    for of in (None, plan, plan.task, plan.id, plan.task.id):
        assert agent.get_task_progress(of)["plan_id"] == plan.id
    other = agent_of()
    assert other.get_task_progress()["plan_id"] == plan.id
    assert [task.id for task in other.tasks()] == [plan.task.id]
    with pytest.raises(NotFound, match="plan_nothing"):
        other.get_task_progress("plan_nothing")


# ---- people --------------------------------------------------------------------------------------------------


@pytest.mark.proves("P60")
def test_at_a_terminal_the_question_is_asked_there_until_the_answer_is_allowed(tmp_path):
    code = """
import sys, auteryn
from auteryn.testing.scripted import ScriptedModel
agent = auteryn.Agent(home=sys.argv[1], model=ScriptedModel(["done"]))
print("ANSWER", agent.request_approval("Proceed?", options=["Yes, proceed", "No, cancel"]))
print("MAIL", agent.request_input("Where to?", input_type="text", validation="email"))
"""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "home")], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True
    ) as program:
        os.close(theirs)
        os.write(ours, b"maybe\n2\nnowhere\nann@example.com\n")
        assert program.stdout is not None
        said = program.stdout.read()
        shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "ANSWER No, cancel" in said and "MAIL ann@example.com" in said
    assert "Proceed?" in shown and "1  Yes, proceed" in shown
    assert "none of the options" in shown and "an e-mail address such as" in shown


@pytest.mark.proves("P60")
def test_a_question_at_a_terminal_shows_what_to_know_and_is_over_when_it_is_answered_elsewhere(tmp_path):
    code = """
import sys, auteryn
from auteryn.testing.scripted import ScriptedModel
agent = auteryn.Agent(home=sys.argv[1], model=ScriptedModel(["done"]))
ann = lambda event: event.state == "open" and event.message == "Ann?" and agent.answer(event.data["id"], "Yes", by="ann")
agent.on("ask", ann)
print("ANN", agent.request_approval("Ann?", context="It is Friday."))
print("NOBODY", agent.request_input("How many?", "number", timeout="1s", on_timeout="default", default="5") + 1)
print("HERE", agent.request_approval("You?"))
"""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "home")], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True
    ) as program:
        os.close(theirs)
        assert program.stdout is not None
        assert [program.stdout.readline() for _ in range(2)] == ["ANN Yes\n", "NOBODY 6\n"]
        os.write(ours, b"no\n")
        assert program.stdout.read() == "HERE No\n"
        assert "It is Friday." in os.read(ours, 65_536).decode()
    os.close(ours)


# ---- tools of one's own --------------------------------------------------------------------------------------


def test_whatever_a_tool_gives_is_told_and_the_run_goes_on(agent_at_home):
    with agent_at_home(curious, tools=[odd]) as agent:
        said = str(agent.run("look", mode="deep"))
    assert "{'name': '?', 'kinds': [1], 'what': \"<class 'object'>\"}" in said
    assert "no file ?" in said


def test_where_it_cannot_run_it_says_so_and_what_to_do():
    code = "import sys; sys.platform = 'win32'; import auteryn"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert told.endswith("ImportError: Auteryn runs on Linux and macOS: on Windows, install and start it inside WSL\n")
