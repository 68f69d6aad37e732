"""A mail server and a Slack on this machine: they keep what was delivered, and hold an answer back until they are told."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import threading
from collections.abc import Generator
from email.message import EmailMessage
from typing import Any, cast

from mailed import mail_server
from unit.tools.fault_server import Asked, FaultServer, Reply
from unit.tools.test_slack import Slack

PATIENCE_SECONDS = 60


class Held:
    """One delivery: it has arrived, and whoever sent it has no answer yet."""

    def __init__(self) -> None:
        self._came, self._go = threading.Event(), threading.Event()

    def come(self) -> None:
        self._came.set()
        self._go.wait(PATIENCE_SECONDS)

    async def arrived(self) -> None:
        assert await asyncio.to_thread(self._came.wait, PATIENCE_SECONDS), "nothing was delivered"

    def let_go(self) -> None:
        self._go.set()


class Receivers:
    """`environ` leads there. The Slack's token is `xoxb-1`, its channel `#alerts`."""

    def __init__(self) -> None:
        self.mails = list[EmailMessage]()
        self._held: dict[str, Held] = {}
        self._site = FaultServer()
        self.slack = Slack(self._site)
        self._site.on("/api/chat.postMessage", self._posted)
        self._open = contextlib.ExitStack()
        port = self._open.enter_context(mail_server(self))
        self.environ = {
            "AUTERYN_MAIL_FROM": "Auteryn <agent@example.org>",
            "AUTERYN_SLACK_URL": self._site.url("/api"),
            "AUTERYN_SMTP_URL": f"smtp://127.0.0.1:{port}",
            "SLACK_BOT_TOKEN": "xoxb-1",
        }

    def close(self) -> None:
        self._open.close()
        self._site.close()

    @contextlib.contextmanager
    def holding(self, what: str) -> Generator[Held]:
        """The next `mail` or `post` is taken, and answered when the block ends or it is let go."""
        held = self._held[what] = Held()
        try:
            yield held
        finally:
            self._held.pop(what, None)
            held.let_go()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(cast("EmailMessage", email.message_from_bytes(envelope.content, policy=email.policy.default)))
        await asyncio.to_thread(self._hold, "mail")
        return "250 OK"

    def _posted(self, asked: Asked) -> Reply:
        reply = self.slack.answer(asked)
        self._hold("post")
        return reply

    def _hold(self, what: str) -> None:
        if held := self._held.pop(what, None):
            held.come()
