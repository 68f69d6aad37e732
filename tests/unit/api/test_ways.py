"""Everything the API can do, a program and a person at a terminal can do; or there is a reason why not."""

from __future__ import annotations

from typing import NamedTuple

import click
import pytest

from auteryn.api.routes import ROUTES
from auteryn.cli.root import cli
from auteryn.client.agent import Agent
from auteryn.client.task import Task


class Why(str):
    """There is no such way, because."""


class Ways(NamedTuple):
    sdk: str
    """`Agent.run`, `Task.cancel`."""
    cli: str
    """`artifacts get`, after `auteryn`."""


BROWSER = Why("a browser's own: it has no key and keeps a cookie")
WINDOW = Why("shows something; a program and a terminal take the thing itself")
ALIVE = Why("asked by what watches the server")
AT_HOME = Why("the command line works in a home, whose owner it is")

WAYS: dict[str, Ways] = {
    "create_run": Ways("Agent.run_async", "run"),
    "list_runs": Ways("Agent.tasks", "ls"),
    "get_run": Ways("Task.status", "status"),
    "rename_run": Ways("Task.rename", "rename"),
    "erase_run": Ways("Task.erase", "erase"),
    "get_result": Ways("Task.result", "result"),
    "get_progress": Ways("Agent.get_task_progress", "status"),
    "stream_events": Ways("Task.events", "watch"),
    "get_logs": Ways("Agent.get_logs", "logs"),
    "get_metrics": Ways("Agent.get_metrics", "metrics"),
    "get_credits": Ways("Agent.get_credit_usage", "credits"),
    "get_context": Ways("Task.context", "context"),
    "get_ledger": Ways("Task.ledger", "ledger"),
    "get_forecast": Ways("Agent.forecast", "credits"),
    "get_run_health": Ways("Agent.health", "health"),
    "estimate_run": Ways("Agent.estimate", "estimate"),
    "list_artifacts": Ways("Task.artifacts", "artifacts list"),
    "get_artifact": Ways("Task.artifact", "artifacts get"),
    "list_versions": Ways("Task.versions", "artifacts versions"),
    "preview_artifact": Ways(WINDOW, WINDOW),
    "list_revisions": Ways("Task.revisions", "logs"),
    "get_scratchpad": Ways("Task.scratchpad", "notes"),
    "list_run_asks": Ways("Task.asks", "status"),
    "get_answer": Ways("Agent.request_approval", "result"),
    "list_run_schedules": Ways("Task.schedules", "schedule ls"),
    "end_schedule": Ways("Task.end_schedule", "schedule cancel"),
    "list_children": Ways("Task.children", "ls"),
    "cancel_run": Ways("Task.cancel", "cancel"),
    "pause_run": Ways("Task.pause", "pause"),
    "resume_run": Ways("Task.resume", "resume"),
    "send_message": Ways("Task.send", "send"),
    "list_unheard": Ways("Task.unheard", "messages"),
    "reword_message": Ways("Task.reword", "messages"),
    "take_back_message": Ways("Task.reword", "messages"),
    "change_step": Ways("Task.change_step", "step"),
    "leave_out_step": Ways("Task.change_step", "step"),
    "retry_run": Ways("Task.retry", "retry"),
    "export_run": Ways("Task.export", "export"),
    "import_run": Ways("Agent.take_in", "import"),
    "fork_run": Ways("Task.fork", "fork"),
    "make_ticket": Ways(BROWSER, BROWSER),
    "list_asks": Ways("Agent.asks", "status"),
    "create_ask": Ways("Agent.request_approval", Why("who sits at a terminal is asked there by the program itself")),
    "answer_ask": Ways("Agent.answer", "answer"),
    "list_schedules": Ways("Agent.schedules", "schedule ls"),
    "get_ask": Ways("Agent.question", "status"),
    "make_links": Ways("Agent.links", Why("for mails that a program sends; `answer` answers at once")),
    "show_link": Ways(BROWSER, BROWSER),
    "follow_tap": Ways(BROWSER, BROWSER),
    "list_webhooks": Ways("Agent.webhooks", "webhooks ls"),
    "add_webhook": Ways("Agent.add_webhook", "webhooks add"),
    "rotate_webhook": Ways("Agent.rotate_webhook", "webhooks rotate"),
    "test_webhook": Ways("Agent.test_webhook", "webhooks test"),
    "remove_webhook": Ways("Agent.remove_webhook", "webhooks remove"),
    "list_memories": Ways("Agent.memories", "memories ls"),
    "forget_memory": Ways("Agent.forget", "memories forget"),
    "run_of_plan": Ways("Agent.get_task_progress", AT_HOME),
    "render_prose": Ways(WINDOW, WINDOW),
    "get_spend": Ways("Agent.spend", "limits ls"),
    "list_tools": Ways("Agent.tools", "tools"),
    "get_session": Ways(Why("asked once when an agent is made: a wrong key is refused there"), AT_HOME),
    "sign_in": Ways(BROWSER, BROWSER),
    "sign_out": Ways(BROWSER, BROWSER),
    "follow_link": Ways(BROWSER, BROWSER),
    "get_health": Ways(ALIVE, ALIVE),
    "get_alive": Ways(ALIVE, ALIVE),
}


def test_every_route_has_its_ways_and_no_way_leads_nowhere():
    assert WAYS.keys() == {route.name for route in ROUTES}


@pytest.mark.parametrize("route", WAYS)
def test_a_route_is_reached_from_a_program_and_from_a_terminal(route: str):
    sdk, words = WAYS[route]
    if not isinstance(sdk, Why):
        room, _, method = sdk.partition(".")
        assert getattr({"Agent": Agent, "Task": Task}[room], method).__doc__, f"{sdk} says what it does"
    command: click.Command | None = cli
    for word in () if isinstance(words, Why) else words.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
        assert command is not None and command.help
