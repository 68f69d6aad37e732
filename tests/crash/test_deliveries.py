"""A process is killed before every line of a sending tool, and another resumes the call: what leaves, leaves at most once.

Forked processes under SIGKILL, real sockets, stand-ins that count what reaches them. Where the other side takes a key or can
be asked (Slack, Confluence, a webhook) it is exactly once; a mail that may have left is reported unknown and stays unsent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from auteryn.schema import event as e
from crash.one_delivery import Delivery, Forks
from unit.tools.bench import Bench, sampled

TRACED = {
    "email_send": ("tools/email.py", "tools/mail_server.py"),
    "slack_post": ("tools/slack.py", "tools/sending.py"),
    "webhook_send": ("tools/webhook.py",),
    "confluence_write": ("tools/confluence.py",),
}
MOST_LINES = 1_000


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path, monkeypatch)
    yield made
    made.close()


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.close()


@pytest.mark.proves("L6", "P73")
@pytest.mark.parametrize("name", sorted(TRACED))
def test_killed_before_any_line_it_is_delivered_once_or_reported_unknown(bench: Bench, forks: Forks, name: str) -> None:
    unknown = 0
    with sampled(bench, name) as args:
        for line in range(MOST_LINES):
            bench.run = replace(bench.run, id=f"run_at_{line}")
            before = bench.outside()
            asyncio.run(bench.store.close())
            killed = forks.is_killed(Delivery.on(bench, name, args, TRACED[name], line))
            bench.reborn()
            left = bench.outside() - before
            facts = bench.facts_of(name, args, resumed=True)
            answer = next(fact for fact in facts if isinstance(fact, e.CallAnswered))
            delivered = bench.outside() - before
            if name == "email_send":
                assert answer.error == "ambiguous" and delivered == left <= 1, (line, answer)
                unknown += left
            else:
                assert answer.error is None and delivered == 1, (line, answer)
            if not killed:
                break
        else:
            raise AssertionError("the call never came to its end")
    assert line > 8 and (name != "email_send" or unknown > 0)
