"""People and figures from a program: the same in a home and on a server."""

from __future__ import annotations

import threading

import pytest

from auteryn.errors import Invalid, NotAllowed, RunFailed
from auteryn.testing.scripted import call


@pytest.mark.proves("P60", "P81")
def test_a_question_with_an_end_means_what_it_says_when_nobody_answers(agent_of, answering):
    agent = agent_of("done")
    answering(agent, "Yes")
    assert (
        agent.request_approval(
            "Go?", ["Yes", "No"], timeout="1h", on_timeout="default", default="No", approvers=["ann", "door*", "*"]
        )
        == "Yes"
    )
    assert agent.request_approval("Go?", ["Yes", "No"], timeout="1s", on_timeout="default", default="No") == "No"
    with pytest.raises(RunFailed, match="nobody answered"):
        agent.request_approval("Go?", ["Yes", "No"], timeout="1s", on_timeout="deny")
    with pytest.raises(Invalid, match="default"):
        agent.request_approval("Go?", ["Yes", "No"], timeout="1s", on_timeout="default")


@pytest.mark.proves("P60", "P83")
def test_whoever_listens_for_questions_hears_of_those_the_program_asks_and_may_answer_them(agent_of):
    agent = agent_of("done")
    task = agent.run_async("What is X?")
    agent.on("ask", lambda event: event.state == "open" and agent.answer(event.data["id"], "No", by="ann"))
    assert agent.request_approval("Go?", ["Yes", "No"], timeout="20s") == "No"
    assert agent.get_task_progress() == task.progress(), "the newest run is still the one it was"


def test_who_is_no_approver_is_refused_by_name(agent_of):
    agent = agent_of("done")
    failed = list[BaseException]()

    def ask() -> None:
        try:
            agent.request_approval("Go?", ["Yes", "No"], approvers=["nobody-else"], timeout="3s", on_timeout="deny")
        except RunFailed as error:
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    while not (asks := agent.asks()):
        threading.Event().wait(0.01)
    with pytest.raises(NotAllowed, match="nobody-else"):
        agent.answer(asks[0].id, "Yes")
    asking.join(20)
    assert failed


@pytest.mark.proves("P81")
def test_who_hears_of_a_run_is_said_as_people_write_it(agent_of):
    agent = agent_of("done")
    agent.configure(
        notify=["mailto:ann@example.com", {"address": "slack:#alerts", "on": ["failed"]}],
        people={"approvers": ["ann"], "remind_every": "6h"},
        at_budget="ask",
    )
    run = agent.world.call(agent.world.desk.get(agent.run_async("What is X?").id))
    assert [(one.kind, one.to, len(one.on)) for one in run.options.notify] == [
        ("email", "ann@example.com", 6),
        ("slack", "#alerts", 1),
    ]
    assert run.options.people.approvers == ("ann",) and run.options.people.remind_every.total_seconds() == 6 * 3600
    assert run.options.at_budget == "ask"
    other = agent.world.call(agent.world.desk.get(agent.run_async("What is X?", notify=[]).id))
    assert other.options.notify == ()
    for wrong, field in (
        ({"notify": "ann"}, "notify"),
        ({"notify": "mailto:nobody"}, "notify"),
        ({"notify": "slack:alerts and more"}, "notify"),
        ({"notify": {"address": "https://example.com", "on": ["sometimes"]}}, "notify"),
        ({"notify": [5]}, "notify"),
        ({"people": {"timeout": "soon"}}, "people.timeout"),
        ({"people": {"boss": "ann"}}, "people"),
        ({"at_budget": "panic"}, "at_budget"),
    ):
        with pytest.raises(Invalid, match=field):
            agent.configure(**wrong)


@pytest.mark.proves("P86", "P88", "P84")
def test_figures_forecast_health_and_pages_of_logs(agent_of):
    agent = agent_of([call("calculate", expression="6*7"), "42"])
    assert agent.estimate("What is X?").mode == "fast"
    task = agent.run_async("What is 6*7?", mode="deep")
    assert task.result(20) == "42"
    usage = agent.get_credit_usage(task)
    detail = agent.get_credit_usage(task, detail=True)["detail"]
    assert (
        set(usage) == {"total_credits", "breakdown"} and usage["total_credits"] == agent.get_metrics(task)["credits_consumed"]
    )
    assert sum(one["credits"] for one in detail["tools"]) == pytest.approx(detail["credits"])
    assert agent.forecast(task).spent == pytest.approx(detail["credits"]) and agent.health(task).why == "It is completed."
    whole = agent.get_logs(task, level="debug")
    first = agent.get_logs(task, level="debug", limit=1)
    assert 0 < len(first) < len(whole) and whole[: len(first)] == first
    paged, after = list[object](), 0
    while page := agent.get_logs(task, level="debug", after=after, limit=2):
        paged += page
        after = page[-1].seq
    assert paged == whole
