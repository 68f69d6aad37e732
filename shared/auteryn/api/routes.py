"""The table of addresses: what is behind each, who may, what goes in and comes out. `/openapi.json` is made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct
from starlette.routing import compile_path

from auteryn.api import bodies as b
from auteryn.api import figures, links, memories, people, runs, webhooks, window
from auteryn.api import views as v
from auteryn.api.call import Call
from auteryn.api.keys import Role
from auteryn.api.problems import NoSuchMethod
from auteryn.api.reading import JSON, ZIP
from auteryn.console.preview import Preview
from auteryn.errors import NotFound
from auteryn.policy.cloud import ALIVE_PATH, HEALTH_PATH
from auteryn.schema.human import Answer, Ask
from auteryn.service.asks import Question
from auteryn.service.context import Ledger, RunContext
from auteryn.service.erase import Erased
from auteryn.service.estimate import Estimate, Forecast
from auteryn.service.webhooks import Tested
from auteryn.service.why import RunHealth

KB, MB = 1_000, 1_000_000
STREAM, PAGE = "text/event-stream", "text/html"
FILE = "*/*"
"""As it was published: its own."""
BOTH = (JSON, STREAM)


class Route(Struct, frozen=True):
    method: str
    path: str
    handler: Callable[[Call[Any, Any]], Awaitable[Any]]
    role: Role | None = "viewer"
    """Who may, at least; None: nobody need be known."""
    query: type[Any] = b.Empty
    body: type[Any] | None = None
    reply: Any = None
    """Of the JSON answer."""
    statuses: tuple[int, ...] = (200,)
    media: tuple[str, ...] = (JSON,)
    largest: int = 256 * KB
    idempotent: bool = False
    """Takes an `Idempotency-Key`."""
    form: bool = False
    """Takes files beside the body, as a form."""
    resumes: bool = False
    """Takes a `Last-Event-ID`."""

    @property
    def name(self) -> str:
        return getattr(self.handler, "__name__", "")


R = Route
RUN = "/v1/runs/{run}"
MCP_PATH = "/mcp"
"""No route of this table: what is said there is the protocol's, and its tools are described by itself."""
MADE = (201,)

ROUTES: tuple[Route, ...] = (
    R("POST", "/v1/runs", runs.create_run, "operator", b.Empty, b.NewRunBody, v.RunView, MADE, BOTH, 32 * MB, True, True),
    R("GET", "/v1/runs", runs.list_runs, query=b.RunsQuery, reply=v.RunPage),
    R("GET", RUN, runs.get_run, reply=v.RunView),
    R("PATCH", RUN, runs.rename_run, "operator", body=b.RenameBody, reply=v.RunView),
    R("DELETE", RUN, runs.erase_run, "operator", reply=Erased),
    R("GET", RUN + "/result", runs.get_result, query=b.ResultQuery, reply=v.RunView, statuses=(200, 202)),
    R("GET", RUN + "/progress", runs.get_progress, reply=v.Progress),
    R("GET", RUN + "/events", runs.stream_events, query=b.EventsQuery, media=(STREAM,), statuses=(200, 204), resumes=True),
    R("GET", RUN + "/logs", runs.get_logs, query=b.LogsQuery, reply=v.LogPage, media=BOTH, resumes=True),
    R("GET", RUN + "/metrics", runs.get_metrics, reply=v.Metrics),
    R("GET", RUN + "/credits", figures.get_credits, query=b.CreditsQuery, reply=v.CreditUsage),
    R("GET", RUN + "/context", figures.get_context, reply=RunContext),
    R("GET", RUN + "/ledger", figures.get_ledger, reply=Ledger),
    R("GET", RUN + "/forecast", figures.get_forecast, reply=Forecast),
    R("GET", RUN + "/health", figures.get_run_health, reply=RunHealth),
    R("POST", "/v1/estimate", figures.estimate_run, body=b.EstimateBody, reply=Estimate),
    R("GET", RUN + "/artifacts", runs.list_artifacts, reply=v.Artifacts),
    R("GET", RUN + "/artifacts/{path:path}", runs.get_artifact, query=b.FileQuery, media=(FILE,), statuses=(200, 206, 304)),
    R("GET", RUN + "/versions/{path:path}", runs.list_versions, reply=v.Versions),
    R("GET", RUN + "/preview/{path:path}", window.preview_artifact, reply=Preview),
    R("GET", RUN + "/revisions", runs.list_revisions, reply=v.Revisions),
    R("GET", RUN + "/scratchpad", runs.get_scratchpad, reply=dict[str, list[str]]),
    R("GET", RUN + "/asks", people.list_run_asks, query=b.AsksQuery, reply=v.Asks),
    R("GET", RUN + "/answer", people.get_answer, reply=Answer),
    R("GET", RUN + "/schedules", runs.list_run_schedules, reply=v.Schedules),
    R("DELETE", RUN + "/schedules/{schedule}", runs.end_schedule, "operator", reply=v.RunView),
    R("GET", RUN + "/children", runs.list_children, query=b.PageQuery, reply=v.RunPage),
    R("POST", RUN + "/cancel", runs.cancel_run, "operator", body=b.Empty, reply=v.RunView),
    R("POST", RUN + "/pause", runs.pause_run, "operator", body=b.Empty, reply=v.RunView),
    R("POST", RUN + "/resume", runs.resume_run, "operator", body=b.Empty, reply=v.RunView),
    R("POST", RUN + "/messages", runs.send_message, "operator", body=b.MessageBody, reply=v.RunView, idempotent=True),
    R("GET", RUN + "/messages", runs.list_unheard, reply=v.UnheardMessages),
    R("PATCH", RUN + "/messages/{message}", runs.reword_message, "operator", body=b.RewordBody, reply=v.RunView),
    R("DELETE", RUN + "/messages/{message}", runs.take_back_message, "operator", reply=v.RunView),
    R("PATCH", RUN + "/steps/{step}", runs.change_step, "operator", body=b.StepBody, reply=v.RunView),
    R("DELETE", RUN + "/steps/{step}", runs.leave_out_step, "operator", reply=v.RunView),
    R("POST", RUN + "/retry", runs.retry_run, "operator", body=b.RetryBody, reply=v.RunView, statuses=(200, 201)),
    R("GET", RUN + "/bundle", runs.export_run, media=(ZIP,)),
    R("POST", "/v1/bundles", runs.import_run, "operator", body=bytes, reply=v.RunView, statuses=MADE, largest=32 * MB),
    R("POST", RUN + "/fork", runs.fork_run, "operator", body=b.ForkBody, reply=v.RunView, statuses=MADE, idempotent=True),
    R("POST", RUN + "/ticket", runs.make_ticket, body=b.Empty, reply=v.Ticket, statuses=MADE),
    R("GET", "/v1/asks", people.list_asks, query=b.AsksQuery, reply=v.Asks),
    R("POST", "/v1/asks", people.create_ask, "operator", body=Question, reply=v.RunView, statuses=MADE, idempotent=True),
    R("POST", "/v1/asks/{ask}/answer", people.answer_ask, "operator", body=b.AnswerBody, reply=Answer, idempotent=True),
    R("GET", "/v1/schedules", runs.list_schedules, reply=v.Schedules),
    R("GET", "/v1/asks/{ask}", people.get_ask, reply=Ask),
    R("POST", "/v1/asks/{ask}/links", people.make_links, "operator", body=b.LinksBody, reply=v.Links, statuses=MADE),
    R("GET", "/a/{token}", links.show_link, None, media=(PAGE,)),
    R("POST", "/a/{token}", links.follow_tap, None, media=(PAGE,)),
    R("GET", "/v1/webhooks", webhooks.list_webhooks, reply=v.Webhooks),
    R("POST", "/v1/webhooks", webhooks.add_webhook, "operator", body=b.WebhookBody, reply=v.NewWebhook, statuses=MADE),
    R("POST", "/v1/webhooks/{webhook}/rotate", webhooks.rotate_webhook, "operator", body=b.Empty, reply=v.NewWebhook),
    R("POST", "/v1/webhooks/{webhook}/test", webhooks.test_webhook, "operator", body=b.Empty, reply=Tested),
    R("DELETE", "/v1/webhooks/{webhook}", webhooks.remove_webhook, "operator", statuses=(204,)),
    R("GET", "/v1/memories", memories.list_memories, reply=v.Memories),
    R("DELETE", "/v1/memories/{memory}", memories.forget_memory, "operator", statuses=(204,)),
    R("GET", "/v1/plans/{plan}", runs.run_of_plan, reply=v.RunView),
    R("POST", "/v1/prose", window.render_prose, body=b.ProseBody, reply=v.Prose, largest=2 * MB),
    R("GET", "/v1/spend", figures.get_spend, reply=v.Spend),
    R("GET", "/v1/tools", runs.list_tools, reply=v.Tools),
    R("GET", "/v1/session", people.get_session, reply=v.Session),
    R("POST", "/v1/session", people.sign_in, None, body=b.LoginBody, statuses=(204,)),
    R("DELETE", "/v1/session", people.sign_out, statuses=(204,)),
    R("GET", "/login", people.follow_link, None, query=b.LoginQuery, statuses=(303,)),
    R("GET", HEALTH_PATH, people.get_health, None, reply=v.Health),
    R("GET", ALIVE_PATH, people.get_alive, None, reply=v.Health),
    R("GET", "/healthz", people.get_health, None, reply=v.Health),
)

WINDOW: tuple[Route, ...] = (
    R("GET", "/runs.txt", window.list_as_text),
    R("GET", "/runs/{run}.txt", window.run_as_text),
    R("GET", "/", window.console_page, None, b.PlaceQuery),
    R("GET", "/runs/{run}", window.console_page, None, b.PlaceQuery),
    R("GET", "/console/{version}/{name:path}", window.console_file, None),
)
"""For people: no part of the API's description."""

_COMPILED = tuple((compile_path(route.path)[0], route) for route in (*ROUTES, *WINDOW))


def route_of(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route and what its path holds. Raises `NotFound`, or `NoSuchMethod` naming those that are there."""
    found = [(match, route) for pattern, route in _COMPILED if (match := pattern.match(path))]
    for match, route in found:
        if method == route.method or (method == "HEAD" and route.method == "GET" and STREAM not in route.media):
            return route, match.groupdict()
    if not found:
        raise NotFound(f"there is nothing at {path!r}; /openapi.json lists what there is")
    allow = ", ".join(sorted({route.method for _, route in found}))
    raise NoSuchMethod(f"{path!r} knows no {method[:20]}; it knows {allow}", allow)
