"""What reaches people and services outside, against stand-ins that count what they receive."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from auteryn.tools import slack
from unit.tools.bench import Args, Bench, sample
from unit.tools.fault_server import Reply
from unit.tools.test_calendar import MEETING
from unit.tools.test_confluence import GIVEN as PAGE
from unit.tools.test_confluence import Wiki, set_up
from unit.tools.test_email import GIVEN, Post
from unit.tools.test_slack import Slack
from unit.tools.test_web_search import FOUND
from unit.tools.test_webhook import SECRET, Receiver


class Counter(Controller):
    """Knows when all callers have hung up: what one of them sent last may still be on its way until then."""

    def __init__(self, post: Post, **more: Any) -> None:
        super().__init__(post, **more)
        self._callers, self._changed = 0, threading.Condition()

    def wait_for_silence(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._callers == 0)

    def factory(self) -> SMTP:
        def count(change: int) -> None:
            with self._changed:
                self._callers += change
                self._changed.notify_all()

        class Line(SMTP):
            def connection_made(self, transport: Any) -> None:
                count(1)
                super().connection_made(transport)

            def connection_lost(self, error: Exception | None) -> None:
                super().connection_lost(error)
                count(-1)

        return Line(self.handler, **self.SMTP_kwargs)


@sample
def email_send(bench: Bench) -> Iterator[Args]:
    post = Post()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Counter(post, hostname="127.0.0.1", port=port)
    controller.start()
    bench.env.setenv("AUTERYN_SMTP_URL", f"smtp://127.0.0.1:{port}")
    bench.env.setenv("AUTERYN_MAIL_FROM", "Auteryn <agent@example.org>")

    def delivered() -> int:
        controller.wait_for_silence()
        return len(post.delivered)

    bench.outside = delivered
    yield GIVEN
    controller.stop()


@sample
def slack_post(bench: Bench) -> Iterator[Args]:
    bench.env.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    bench.env.setattr(slack, "API", bench.site.url("/api/"))
    team = Slack(bench.site)
    bench.outside = lambda: len(team.posts)
    yield {"channel": "#alerts", "text": "Prices changed"}


@sample
def webhook_send(bench: Bench) -> Iterator[Args]:
    bench.env.setenv("AUTERYN_SECRET_ALERTS", SECRET)
    goal = {"url": bench.site.url("/hook"), "secret": "AUTERYN_SECRET_ALERTS"}
    bench.env.setenv("AUTERYN_WEBHOOK_ALERTS", json.dumps(goal))
    receiver = Receiver(bench.site)
    bench.outside = lambda: len(receiver.taken)
    yield {"name": "alerts", "payload": {"price": "9.99"}}


@sample
def web_search(bench: Bench) -> Iterator[Args]:
    bench.env.setenv("AUTERYN_SEARXNG_URL", bench.site.url(""))
    bench.site.on("/search", Reply(json.dumps(FOUND["SearXNG"]), headers={"content-type": "application/json"}))
    yield {"query": "prices of shops"}


@sample
def confluence_write(bench: Bench) -> Iterator[Args]:
    set_up(bench.site, bench.env)
    wiki = Wiki(bench.site)
    bench.outside = lambda: wiki.versions
    yield PAGE


@sample
def confluence_read(bench: Bench) -> Iterator[Args]:
    set_up(bench.site, bench.env)
    Wiki(bench.site).add("Prices", "<p>price 9</p>")
    yield {"page": "Prices", "space": "TEAM"}


@sample
def calendar_create(bench: Bench) -> Iterator[Args]:
    yield MEETING
