"""Every snippet of the product's page, run as it stands there. Only the model, and the person who answers, are scripted."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from itertools import count

import pytest

from auteryn import Agent
from auteryn.errors import RateLimited, Unavailable
from auteryn.testing.scripted import Say
from served import both_ways


@pytest.fixture(params=["home", "server"])
def agent_of(request, tmp_path):
    """Agents with a home each, worked in here or through a server: the page does not say which, and it makes no difference."""
    homes = count()
    with both_ways(tmp_path, request.param) as agent_of:
        yield lambda script: agent_of(script, home=f"home-{next(homes)}")


def answer(agent: Agent, *values: str) -> threading.Thread:
    """A person answers each question that comes up, in this order."""

    def person() -> None:
        for value in values:
            while not (asks := agent.asks()):
                threading.Event().wait(0.01)
            agent.answer(asks[0].id, value, by="ann")
            while any(ask.id == asks[0].id for ask in agent.asks()):
                threading.Event().wait(0.01)

    thread = threading.Thread(target=person, daemon=True)
    thread.start()
    return thread


@pytest.mark.proves("P24", "P25", "P26")
def test_manual_override(agent_of):
    agent = agent_of(["done"])

    # Force FAST mode
    fast = agent.run("Complex task", mode="fast")
    # Force DEEP mode
    deep = agent.run("Simple task", mode="deep")
    # Auto-routing (default)
    auto = agent.run("What is X?", mode="auto")

    lines = [agent.get_logs(run_id=result.run_id)[0].message for result in (fast, deep, auto)]
    assert ["FAST" in line for line in lines] == [True, False, True]


@pytest.mark.proves("P27", "P28")
def test_thought_streaming(agent_of):
    agent = agent_of(lambda ask: Say(text="It grew.", thoughts="Let me break this down..."))

    # Enable thought streaming
    agent.configure(include_thoughts=True)

    thoughts = list[str]()
    agent.on("thought", lambda event: thoughts.append(event.text))
    agent.run("Analyze this dataset")
    assert "Let me break this down..." in thoughts


@pytest.mark.proves("P30", "P33", "P34", "P39", "P42")
def test_extended_task_persistence(agent_of):
    told = list[str]()

    def script(ask):
        told.append(ask.task)
        return "ten competitors compared"

    agent = agent_of(script)

    # Start long-running workflow
    task = agent.run_async("""Comprehensive competitor analysis:

1. Research 10 competitors
2. Analyze their products, pricing, features
3. Create comparison spreadsheet
4. Generate SWOT analysis for each
5. Create presentation with findings
6. Email report to team

This may take several days. Work autonomously.""")

    # Check progress anytime
    status = task.status()
    assert status in ("pending", "running", "completed") and status.detail == "Day 1 of 7"

    # Get result when done
    result = task.result()  # Blocks until complete
    assert result == "ten competitors compared"
    assert told[0].startswith("Comprehensive competitor analysis:\n\n1. Research 10 competitors\n2. ")


@pytest.mark.proves("P45", "P46", "P48")
def test_error_recovery(agent_of):
    # Agent encounters API rate limit: waits and retries automatically; loses the network: reconnects and continues
    agent = agent_of([RateLimited("too many requests", retry_after=timedelta(seconds=0.1)), Unavailable("no route"), "done"])
    assert agent.run("What is X?") == "done"
    assert agent.get_metrics()["llm_calls"] == 3


@pytest.mark.proves("P49", "P50", "P51")
def test_create_task_plans(agent_of):
    agent = agent_of(lambda ask: f"found {ask.task[22]}" if ask.task.startswith("Search") else ask.task)

    plan = agent.create_task_plan(
        description="Research competitors",
        steps=[
            {"description": "Search for Competitor A", "depends_on": []},
            {"description": "Search for Competitor B", "depends_on": []},
            {"description": "Search for Competitor C", "depends_on": []},
            {"description": "Compare results", "depends_on": [1, 2, 3]},
        ],
    )

    # Steps 1, 2, 3 run in PARALLEL; step 4 waits for all three to complete
    assert plan.id.startswith("plan_") and plan.description == "Research competitors"
    assert plan.waves == ((1, 2, 3), (4,)) and str(plan).endswith("(1, 2, 3 in parallel) → 4")
    plan.task.result(30)
    compared = plan.progress()["steps"][3]["result"]
    assert all(f"found {name}" in compared for name in "ABC")
    steps = [(event.data["id"], event.data["status"]) for event in plan.task.events() if event.kind == "step"]
    assert steps[:3] == [(1, "in_progress"), (2, "in_progress"), (3, "in_progress")]
    assert steps.index((4, "in_progress")) > max(steps.index((n, "completed")) for n in (1, 2, 3))


@pytest.mark.proves("P55", "P56")
def test_track_progress_and_progress_events(agent_of):
    def script(ask):
        if ask.task.startswith("step 2"):
            return RateLimited("later", retry_after=timedelta(hours=1))
        return "Found 3 competitors"

    agent = agent_of(script)
    plan = agent.create_task_plan(
        steps=[{"description": f"step {n}", "depends_on": [n - 1] if n > 1 else []} for n in range(1, 7)]
    )
    told = list[str]()
    for event in plan.task.events():
        if event.kind == "task_progress":
            # const progress = JSON.parse(event.data)
            progress = json.loads(json.dumps(event.data))
            told.append(f"Step {progress['current_step']}/{progress['total_steps']} {progress['status']}")
            if progress["current_step"] == 2:
                break

    # Get current progress
    progress = agent.get_task_progress()

    assert json.dumps(progress | {"plan_id": "plan_123", "steps": progress["steps"][:2]}) == json.dumps(
        {
            "plan_id": "plan_123",
            "status": "in_progress",
            "current_step": 2,
            "total_steps": 6,
            "steps": [
                {"id": 1, "status": "completed", "result": "Found 3 competitors"},
                {"id": 2, "status": "in_progress", "result": None},
            ],
        }
    )
    assert told[0] == "Step 0/6 in_progress" and told[-1] == "Step 2/6 in_progress"


@pytest.mark.proves("P57")
def test_concurrent_operations(agent_of):
    def script(ask):
        if ask.new_results:
            return f"{len(ask.new_results)} searches"
        return [ask.call("calculate", expression=f"{n}+{n}") for n in (1, 2, 3)]

    agent = agent_of(script)

    # Agent executes these in PARALLEL (not sequential)
    results = agent.run("""Research three competitors simultaneously:

- Search for Competitor A
- Search for Competitor B
- Search for Competitor C""")

    assert results == "3 searches"


@pytest.mark.proves("P52", "P53")
def test_dependency_management(agent_of):
    agent = agent_of(["done"])

    plan = agent.create_task_plan(
        steps=[
            {"id": 1, "description": "Fetch data", "depends_on": []},
            {"id": 2, "description": "Clean data", "depends_on": [1]},
            {"id": 3, "description": "Analyze data", "depends_on": [2]},
            {"id": 4, "description": "Generate charts", "depends_on": [3]},
            {"id": 5, "description": "Create report", "depends_on": [3, 4]},
        ]
    )

    # The page says "4 and 5 in parallel", but 5 depends on 4: the dependencies count, and the plan says so.
    assert str(plan) == f"{plan.id}: 1 → 2 → 3 → 4 → 5"
    plan.task.result(30)
    started = [event.data["id"] for event in plan.task.events() if event.kind == "step" and event.status == "in_progress"]
    assert started == [1, 2, 3, 4, 5]


@pytest.mark.proves("P60", "P61", "P62")
@pytest.mark.parametrize(("chosen", "runs"), [("Yes, proceed", 1), ("No, cancel", 0), ("Show me the records first", 0)])
def test_request_approval(agent_of, chosen: str, runs: int):
    told = list[str]()

    def script(ask):
        told.append(ask.task)
        return "done"

    agent = agent_of(script)
    person = answer(agent, chosen)

    # Agent requests approval
    approved = agent.request_approval(
        message="About to delete 1,000 records. Proceed?", options=["Yes, proceed", "No, cancel", "Show me the records first"]
    )

    if approved == "Yes, proceed":
        agent.run("delete_records.py", mode="fast")

    person.join(10)
    assert approved == chosen
    assert told == ["delete_records.py"] * runs


@pytest.mark.proves("P63", "P64")
def test_request_input(agent_of):
    agent = agent_of(["never asked"])
    person = answer(agent, "ann@example.com", "High")

    # Request text input
    email = agent.request_input(message="What email should I send the report to?", input_type="text", validation="email")

    # Request choice
    priority = agent.request_input(
        message="What priority should this ticket have?", input_type="choice", options=["Low", "Medium", "High", "Critical"]
    )

    person.join(10)
    assert (email, priority) == ("ann@example.com", "High")


@pytest.mark.parametrize(
    "task",
    [
        """Comprehensive market research project (3-5 days):

Day 1: Research 20 competitors
- Gather product information
- Analyze pricing strategies
- Review customer feedback

Day 2-3: Deep analysis
- SWOT analysis for each competitor
- Market positioning analysis
- Feature comparison matrix

Day 4: Report creation
- Generate charts and visualizations
- Create PowerPoint presentation
- Write executive summary

Day 5: Distribution
- Email report to stakeholders
- Post summary to Slack
- Update Confluence page

Work autonomously. Report progress daily.""",
        """Monitor competitor websites continuously (1 week):

Every 6 hours:
1. Check competitor pricing pages
2. Screenshot any changes
3. Analyze differences
4. Alert team if significant changes

Run for 7 days, then generate summary report.""",
    ],
)
@pytest.mark.proves("P23", "P39")
def test_the_use_cases_are_deep_and_told_verbatim(agent_of, task: str):
    told = list[str]()

    def script(ask):
        told.append(ask.task)
        return "done"

    agent = agent_of(script)
    result = agent.run(task)
    assert told == [task]
    assert "DEEP" in agent.get_logs(result.run_id)[0].message


@pytest.mark.proves("P83")
def test_real_time_progress(agent_of, capsys):
    agent = agent_of(["done"])

    # Subscribe to progress events
    agent.on(
        "progress",
        lambda event: {
            print(f"Step {event.current_step}/{event.total_steps}"),
            print(f"Status: {event.status}"),
            print(f"Result: {event.result}"),
        },
    )

    agent.create_task_plan("one", [{"description": "the only one"}]).task.result(30)
    shown = capsys.readouterr().out
    assert "Step 1/1\nStatus: in_progress\n" in shown
    assert shown.endswith("Step 1/1\nStatus: completed\nResult: done\n")


@pytest.mark.proves("P84", "P85")
def test_execution_logs(agent_of, capsys):
    agent = agent_of(["done"])
    run_123 = agent.run("What is X?").run_id

    # Get execution logs
    logs = agent.get_logs(
        run_id=run_123,
        level="info",  # "debug", "info", "warning", "error"
    )

    # Stream logs in real-time
    for log in agent.stream_logs(run_id=run_123):
        print(log)

    assert capsys.readouterr().out == "".join(f"{line}\n" for line in logs)
    assert "completed: done" in str(logs[-1])


@pytest.mark.proves("P86", "P88")
def test_performance_metrics_and_credit_usage(agent_of):
    agent = agent_of(lambda ask: "2" if ask.results else ask.call("calculate", expression="1+1"))
    run_123 = agent.run("What is 1+1?").run_id

    metrics = agent.get_metrics(run_id=run_123)
    # Check credit consumption
    usage = agent.get_credit_usage(run_id=run_123)

    assert list(metrics) == ["duration", "llm_calls", "tool_calls", "tokens_used", "credits_consumed"]
    assert (metrics["llm_calls"], metrics["tool_calls"]) == (2, 1) and metrics["tokens_used"] > 0
    assert list(usage) == ["total_credits", "breakdown"]
    assert list(usage["breakdown"]) == ["llm_calls", "tool_calls", "storage"]
    assert usage["total_credits"] == sum(usage["breakdown"].values()) == metrics["credits_consumed"]


@pytest.mark.proves("P89", "P90", "P91", "P92", "P93")
def test_api_reference(agent_of):
    agent = agent_of(["done"])

    # Configure execution settings
    agent.configure(
        mode="auto",  # "fast", "deep", "auto"
        include_thoughts=True,  # Stream thinking process
        max_duration="1w",  # Maximum runtime
        auto_retry=True,  # Retry on transient failures
    )

    # Synchronous execution
    result = agent.run("Task description", mode="auto")

    # Asynchronous execution
    task = agent.run_async("Long task", mode="deep")

    # Check status
    status = task.status()  # "pending", "running", "completed", "failed"
    assert status in ("pending", "running", "completed", "failed")

    # Get result
    assert task.result() == result == "done"  # Blocks until complete

    # Cancel execution
    task = agent_of([RateLimited("later", retry_after=timedelta(hours=1))]).run_async("Long task", mode="deep")
    task.cancel()
    assert [event.status for event in task.events() if event.kind == "status"][-1] == "cancelled"
