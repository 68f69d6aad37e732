"""What reaches people and services outside, against stand-ins that count what they receive."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

from aiosmtpd.controller import Controller

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


@sample
def email_send(bench: Bench) -> Iterator[Args]:
    post = Post()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    bench.env.setenv("AUTERYN_SMTP_URL", f"smtp://127.0.0.1:{port}")
    bench.env.setenv("AUTERYN_MAIL_FROM", "Auteryn <agent@example.org>")
    bench.outside = lambda: len(post.delivered)
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
