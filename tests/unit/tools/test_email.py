"""A mail leaves once, as it was shown, and what became of it is known or said to be unknown."""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from inline_snapshot import snapshot

from auteryn.testing.emulators.servers import held_port
from auteryn.tools.email import email_send
from auteryn.tools.registry import Registry
from mailed import mail_server
from unit.tools.fault_server import server_tls
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

GIVEN: dict[str, Any] = {"to": ["ann@example.com"], "subject": "Prices", "body_markdown": "# Hello\n\nIt is **$9.99**."}


class Post:
    """A post office that counts deliveries and refuses as it is told."""

    def __init__(self) -> None:
        self.delivered = list[EmailMessage]()
        self.envelopes = list[list[str]]()
        self.rcpt: Callable[[str], str] = lambda address: "250 OK"
        self.data = "250 OK"
        self.drop = False
        self.hang: threading.Event | None = None
        self.begun = threading.Event()

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        said = self.rcpt(address)
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        self.begun.set()
        if self.hang is not None:
            await asyncio.to_thread(self.hang.wait)
        if self.data.startswith("250"):
            self.delivered.append(cast("EmailMessage", email.message_from_bytes(envelope.content, policy=email.policy.default)))
            self.envelopes.append(envelope.rcpt_tos)
        if self.drop:
            cast("Any", server).transport.close()
        return self.data


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    made = Post()
    with mail_server(made) as port:
        monkeypatch.setenv("AUTERYN_SMTP_URL", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("AUTERYN_MAIL_FROM", "Auteryn <agent@example.org>")
        yield made
        if made.hang is not None:
            made.hang.set()


@pytest.mark.tool("email_send", "happy")
@pytest.mark.proves("P73")
def test_a_mail_arrives_as_it_was_written(room: Room, post: Post) -> None:
    room.put("report/prices.csv", "plan,price\nA,9.99\n")
    room.put("logo.bin", b"\0\1\2")
    given = GIVEN | {"attachments": ["report/prices.csv", "logo.bin"], "cc": ["Bob Müller <bob@example.com>"]}
    told = room.call(email_send, call="c", **as_a_judge_calls(email_send, **given))
    (mail,) = post.delivered
    assert told == {"sent": True, "message_id": mail["Message-ID"], "to": ["ann@example.com", "bob@example.com"]}
    assert (mail["From"], mail["To"], mail["Cc"]) == (
        "Auteryn <agent@example.org>",
        "ann@example.com",
        "Bob Müller <bob@example.com>",
    )
    assert mail["Subject"] == "Prices" and "<h1>Hello</h1>" in mail.get_body(("html",)).get_content()
    assert mail.get_body(("plain",)).get_content().split() == GIVEN["body_markdown"].split()
    parts = {part.get_filename(): (part.get_content_type(), part.get_payload(decode=True)) for part in mail.iter_attachments()}
    assert parts == {
        "prices.csv": ("text/csv", b"plan,price\nA,9.99\n"),
        "logo.bin": ("application/octet-stream", b"\0\1\2"),
    }
    assert post.envelopes == [["ann@example.com", "bob@example.com"]] and mail["Auto-Submitted"] == "auto-generated"


@pytest.mark.proves("L6")
def test_the_message_id_is_the_key_of_the_call(room: Room, post: Post) -> None:
    room.call(email_send, call="c", **GIVEN)
    assert room.context and post.delivered[0]["Message-ID"] == f"<{room.context.key}@example.org>"
    assert email_send.effect == "once" and email_send.probe is None and email_send.permission == "ask"


def test_html_of_a_mail_shows_no_foreign_pictures_and_no_raw_html(room: Room, post: Post) -> None:
    room.call(email_send, **GIVEN | {"body_markdown": "![x](http://spy.test/p.png) <script>x</script>\n\n|a|\n|-|\n|b|"})
    html = post.delivered[0].get_body(("html",)).get_content()
    assert "<img" not in html and "<script>" not in html and "<table>" in html


# ---- what a server says ------------------------------------------------------------------------------------------


@pytest.mark.tool("email_send", "failure")
@pytest.mark.parametrize(
    ("said", "kind"),
    [("451 greylisted", "unavailable"), ("550 no such user", "denied"), ("552 too big", "too_large"), ("530 log in", "auth")],
)
@pytest.mark.parametrize("when", ["rcpt", "data"])
def test_a_clear_no_is_told_and_nothing_was_sent(room: Room, post: Post, said: str, kind: str, when: str) -> None:
    if when == "rcpt":
        post.rcpt = lambda address: said
    else:
        post.data = said
    failed = room.refusal(email_send, **GIVEN)
    assert (failed.kind, failed.retryable) == (kind, kind == "unavailable") and said[4:] in str(failed)
    assert "nothing was sent" in str(failed) and post.delivered == []


def test_one_bad_address_of_two_is_named(room: Room, post: Post) -> None:
    post.rcpt = lambda address: "550 unknown" if address.startswith("bob") else "250 OK"
    sent = room.call(email_send, **GIVEN | {"to": ["ann@example.com", "bob@example.com"]})
    assert sent.output["to"] == ["ann@example.com"] and sent.output["refused"] == {"bob@example.com": "550 unknown"}
    assert sent.reached == ("ann@example.com",)


def test_whoever_is_written_to_by_name_is_known_by_the_address(room: Room) -> None:
    """Else a mail to "Ann <ann@…>" would not be the one that was to be sent, nor to whom the owner named."""
    assert email_send.recipients
    said = {"to": ["Ann <ann@example.com>", "no address"], "cc": ["bob@example.com"]}
    assert email_send.recipients(said) == ["ann@example.com", "no address", "bob@example.com"]


@pytest.mark.tool("email_send", "failure")
@pytest.mark.proves("L6")
def test_an_answer_lost_after_the_message_is_ambiguous_and_is_not_repeated(room: Room, post: Post) -> None:
    post.drop = True
    failed = room.refusal(email_send, **GIVEN)
    assert (failed.kind, failed.retryable) == ("ambiguous", False) and len(post.delivered) == 1


def test_a_connection_lost_before_the_message_is_safe_to_repeat(
    room: Room, monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    with held_port() as port:
        monkeypatch.setenv("AUTERYN_SMTP_URL", f"smtp://127.0.0.1:{port}")
        failed = room.refusal(email_send, **GIVEN)
        assert (failed.kind, failed.retryable) == ("unavailable", True)


def test_a_cancelled_mail_ends_its_thread(room: Room, post: Post) -> None:
    room.call(email_send, **GIVEN)
    post.begun.clear()
    post.hang = threading.Event()

    async def cancel_it() -> None:
        assert room.context is not None
        call = asyncio.create_task(email_send.fn(room.context, **GIVEN))
        await asyncio.to_thread(post.begun.wait)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel_it())


# ---- sealed and signed in ----------------------------------------------------------------------------------------


def test_a_password_is_only_sent_sealed(room: Room, post: Post, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTERYN_SMTP_URL", os.environ["AUTERYN_SMTP_URL"].replace("//", "//ann:secret@"))
    failed = room.refusal(email_send, **GIVEN)
    assert failed.kind == "not_configured" and "secret" not in str(failed) and post.delivered == []


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_over_tls_the_login_is_used(
    room: Room, post: Post, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    from unit.tools import fault_server

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password == b"right"
        return AuthResult(success=right, handled=False)

    tls = server_tls(tmp_path, "127.0.0.1")
    with mail_server(post, tls_context=tls, authenticator=check, auth_required=True) as port:
        monkeypatch.setattr("ssl.create_default_context", fault_server.trusting_ca)
        monkeypatch.setenv("AUTERYN_SMTP_URL", f"smtp://ann:{password}@127.0.0.1:{port}")
        if password == "right":
            assert room.call(email_send, **GIVEN)["sent"]
        else:
            assert room.refusal(email_send, **GIVEN).kind == "auth"


# ---- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    "address",
    [
        "ann",
        "ann@",
        "@example.com",
        "ann@example.com, eve@evil.test",
        "ann@example.com\r\nBcc: eve@evil.test",
        "<a@b.test> <eve@evil.test>",
        "a b@example.com",
        "ann@exa mple.com",
        "",
    ],
)
def test_an_address_is_one_address(room: Room, post: Post, address: str) -> None:
    assert room.refusal(email_send, **GIVEN | {"to": [address]}).kind == "invalid"
    assert room.refusal(email_send, **GIVEN | {"cc": [address]}).kind == "invalid"
    assert post.delivered == []


@pytest.mark.proves("L14")
def test_a_subject_is_one_line_and_attachments_are_the_runs_own_files(room: Room, post: Post) -> None:
    assert room.refusal(email_send, **GIVEN | {"subject": "a\r\nBcc: eve@evil.test"}).kind == "invalid"
    assert room.refusal(email_send, **GIVEN | {"attachments": ["../../etc/passwd"]}).kind == "denied"
    assert room.refusal(email_send, **GIVEN | {"attachments": ["none.pdf"]}).kind == "not_found"
    room.put("a.bin", bytes(11 << 20))
    assert room.refusal(email_send, **GIVEN | {"attachments": ["a.bin", "a.bin"]}).kind == "too_large"
    assert post.delivered == []


def test_names_beyond_ascii_arrive(room: Room, post: Post) -> None:
    room.call(email_send, **GIVEN | {"to": ["Ännchen <ann@bücher.example>"], "subject": "Grüße 👋"})
    mail = post.delivered[0]
    assert mail["Subject"] == "Grüße 👋" and mail["To"] == "Ännchen <ann@bücher.example>"


@pytest.mark.proves("L14")
def test_the_server_is_never_a_metadata_server(room: Room, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTERYN_SMTP_URL", "smtp://169.254.169.254:25")
    assert room.refusal(email_send, **GIVEN).kind == "blocked"
    monkeypatch.setenv("AUTERYN_SMTP_URL", "http://example.com")
    assert room.refusal(email_send, **GIVEN).kind == "not_configured"


def test_without_a_server_the_tool_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTERYN_SMTP_URL", raising=False)
    assert "AUTERYN_SMTP_URL" in Registry([email_send]).hidden["email_send"]
    monkeypatch.setenv("AUTERYN_SMTP_URL", "smtp://x")
    monkeypatch.setenv("AUTERYN_MAIL_FROM", "a@b.c")
    assert "email_send" in Registry([email_send])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'auteryn[comms]'" in Registry([email_send]).hidden["email_send"]


def test_the_schema_is_this() -> None:
    assert list(email_send.parameters["properties"]) == snapshot(["to", "subject", "body_markdown", "attachments", "cc"])
    assert email_send.target and email_send.target({"to": ["a@b.c"], "cc": ["d@e.f"]}) == "a@b.c, d@e.f"
    assert email_send.sends and not email_send.untrusted
