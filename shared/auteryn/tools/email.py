"""Electronic mail through the owner's own server. A message leaves once: what may have left is never sent again."""

from __future__ import annotations

import importlib.util
import os
import re
import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import MB
from auteryn.schema.record import Record
from auteryn.tools import foreseen
from auteryn.tools.egress_addresses import plain_host
from auteryn.tools.leash import Leash, in_thread
from auteryn.tools.tool import ToolContext, tool

SERVER, SENDER = "AUTERYN_SMTP_URL", "AUTERYN_MAIL_FROM"
MOST_RECIPIENTS = 50
MESSAGE_BYTES = 20 * MB
"""Attachments together; most servers take 25 MB, and base64 adds a third to what is counted there."""
TALK = timedelta(seconds=30)
"""Longest silence of the server."""
CONNECT = timedelta(seconds=10)

_USER = re.compile(r"""[^\s@"<>(),;:\\\[\]\x00-\x20]{1,64}""")
_PORTS = {"smtp": 587, "smtps": 465}


def no_mail() -> str | None:
    """Why no mail can be sent."""
    if not (os.environ.get(SERVER) and os.environ.get(SENDER)):
        return f"it needs a mail server: set {SERVER} (smtp://user:password@host:587) and {SENDER}"
    return None if importlib.util.find_spec("markdown_it") else "it needs pip install 'auteryn[comms]'"


@tool(
    effect="once",
    permission="ask",
    group="communicate",
    missing=no_mail,
    sends=True,
    timeout=timedelta(seconds=180),
    target=lambda args: ", ".join([*args["to"], *args.get("cc", [])]),
    preview=foreseen.mail,
    recipients=lambda args: [*args["to"], *args.get("cc", [])],
)
async def email_send(
    ctx: ToolContext,
    to: Annotated[list[str], "Addresses", Meta(min_length=1, max_length=MOST_RECIPIENTS)],
    subject: Annotated[str, "One line", Meta(min_length=1, max_length=300)],
    body_markdown: Annotated[str, "The text, in Markdown", Meta(min_length=1, max_length=200_000)],
    attachments: Annotated[list[str], "Files to attach", Meta(max_length=20)] = [],  # noqa: B006 - never changed
    cc: Annotated[list[str], "Addresses that get a copy", Meta(max_length=MOST_RECIPIENTS)] = [],  # noqa: B006 - never changed
) -> dict[str, Any]:
    """Send an e-mail. A person sees it and allows it before."""
    server = _Server.set_up()
    message = _message(ctx, to, cc, subject, body_markdown, attachments)
    recipients = [address(one).addr_spec for one in dict.fromkeys([*to, *cc])]
    egress = ctx.egress.trusting(f"http://{_bracketed(server.host)}:{server.port}")
    addresses = await egress.addresses(server.host, server.port)
    refused = await in_thread(lambda leash: _sent(server, addresses[0], message, recipients, leash))
    told: dict[str, Any] = {
        "sent": True,
        "message_id": str(message["Message-ID"]),
        "to": [one for one in recipients if one not in refused],
    }
    return told | ({"refused": refused} if refused else {})


# ---- the message -------------------------------------------------------------------------------------------------


def _message(
    ctx: ToolContext, to: Sequence[str], cc: Sequence[str], subject: str, markdown: str, attachments: Sequence[str]
) -> EmailMessage:
    sender = address(os.environ[SENDER])
    if any(sign < " " or sign == "\x7f" for sign in subject):
        raise ToolFailed("invalid", f"subject: {subject!r} must be one line without control signs")
    message = EmailMessage()
    message["From"] = sender
    message["To"] = [address(one) for one in to]
    if cc:
        message["Cc"] = [address(one) for one in cc]
    message["Subject"] = subject
    message["Date"] = format_datetime(ctx.clock.now())
    message["Message-ID"] = f"<{ctx.key}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(markdown)
    message.add_alternative(_html(markdown), subtype="html")
    _attach(ctx, message, attachments)
    return message


def _attach(ctx: ToolContext, message: EmailMessage, paths: Sequence[str]) -> None:
    from auteryn.tools.deliver import media_type

    left = MESSAGE_BYTES
    for path in paths:
        body = ctx.files.read(path, most=MESSAGE_BYTES)
        left -= len(body)
        if left < 0:
            raise ToolFailed(
                "too_large", f"attachments: together larger than {MESSAGE_BYTES:,} bytes: send a link or fewer files"
            )
        main, _, sub = media_type(path).partition("/")
        message.add_attachment(body, maintype=main, subtype=sub, filename=Path(path).name)


def _html(markdown: str) -> str:
    """The text as HTML: no raw HTML, no pictures that tell who opened the mail."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image").render(markdown)


def address(text: str, field: str = "to") -> Address:
    """One address; raises `ToolFailed("invalid")` for what is none, or several."""
    (name, spec), *more = getaddresses([text]) or [("", "")]
    user, _, domain = spec.rpartition("@")
    try:
        if more or spec not in text or not _USER.fullmatch(user) or not plain_host(domain) or any(sign < " " for sign in text):
            raise ValueError
        return Address(name, user, domain)
    except (ValueError, IndexError) as error:
        raise ToolFailed("invalid", f"{field}: {text!r} must be one address such as ann@example.com") from error


# ---- the server --------------------------------------------------------------------------------------------------


class _Server(Record):
    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    @classmethod
    def set_up(cls) -> _Server:
        """As the owner set it."""
        try:
            url: SplitResult = urlsplit(os.environ.get(SERVER, ""))
            if url.scheme not in _PORTS or not url.hostname:
                raise ValueError("must begin with smtp:// or smtps:// and name a host")
            port = url.port or _PORTS[url.scheme]
            user, password = unquote(url.username or ""), unquote(url.password or "")
            return cls(scheme=url.scheme, host=plain_host(url.hostname), port=port, user=user, password=password)
        except ValueError as error:
            raise ToolFailed("not_configured", f"{SERVER} {error}") from None


class _Talk(smtplib.SMTP):
    """A connection to the address that was judged; knows from when on the message may have arrived."""

    handed_over = False

    def __init__(self, server: _Server, address: str, leash: Leash) -> None:
        self._server, self._address, self._leash = server, address, leash
        super().__init__(
            server.host, server.port, local_hostname=socket.gethostname() or "localhost", timeout=TALK.total_seconds()
        )

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((self._address, port), CONNECT.total_seconds())
        plain.settimeout(timeout)
        self._leash.on_pull(lambda: _break_off(plain))
        if self._server.scheme == "smtps":
            return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        return plain

    def send(self, s: Any) -> None:
        if not isinstance(s, str) and s.endswith(b"\r\n.\r\n"):
            self.handed_over = True
        super().send(s)


def _break_off(plain: socket.socket) -> None:
    """Wakes a thread that waits for the server, which closing would not."""
    with suppress(OSError):
        plain.shutdown(socket.SHUT_RDWR)


def _sent(server: _Server, address: str, message: EmailMessage, recipients: list[str], leash: Leash) -> dict[str, str]:
    """Hand the message over; the recipients it was refused for. Raises what became of it."""
    talk: _Talk | None = None
    try:
        talk = _Talk(server, address, leash)
        _greet(talk, server)
        leash.check()
        refused = talk.send_message(message, to_addrs=recipients)
    except (smtplib.SMTPException, OSError) as error:
        raise _failed(server, error, handed_over=talk is not None and talk.handed_over) from error
    finally:
        leash.on_pull(None)
        if talk is not None:
            _part(talk)
    return {str(one): _said(code, text) for one, (code, text) in refused.items()}


def _greet(talk: _Talk, server: _Server) -> None:
    talk.ehlo()
    if server.scheme == "smtp" and talk.has_extn("starttls"):
        talk.starttls(context=ssl.create_default_context())
        talk.ehlo()
    elif server.scheme == "smtp" and server.user:
        raise ToolFailed("not_configured", f"{server.host!r} offers no TLS: the password is not sent in the clear")
    if server.user:
        talk.login(server.user, server.password)


def _part(talk: _Talk) -> None:
    """Say good-bye; what happens now is no matter of the message."""
    try:
        talk.quit()
    except (smtplib.SMTPException, OSError):
        talk.close()


def _failed(server: _Server, error: Exception, *, handed_over: bool) -> ToolFailed:
    match error:
        case smtplib.SMTPRecipientsRefused():
            told = "; ".join(f"{one}: {_said(code, text)}" for one, (code, text) in error.recipients.items())
            return _refused(max(code for code, _ in error.recipients.values()), f"nobody was accepted: {told}")
        case smtplib.SMTPAuthenticationError():
            return ToolFailed("auth", f"{server.host!r} does not take the login: {_said(error.smtp_code, error.smtp_error)}")
        case smtplib.SMTPNotSupportedError():
            return ToolFailed("unsupported", f"{server.host!r} cannot: {error}")
        case smtplib.SMTPResponseException() if error.smtp_code >= 400 and type(error) is not smtplib.SMTPResponseException:
            return _refused(error.smtp_code, f"{server.host!r} said {_said(error.smtp_code, error.smtp_error)}")
        case _ if handed_over:
            return ToolFailed(
                "ambiguous", f"outcome unknown: {server.host!r} had the message and broke off before it said yes or no: {error}"
            )
        case _:
            return ToolFailed("unavailable", f"{server.host!r} cannot be talked to: {error}; nothing was sent", retryable=True)


def _refused(code: int, said: str) -> ToolFailed:
    kind: Literal["unavailable", "auth", "too_large", "denied"]
    match code:
        case _ if code < 500:
            kind = "unavailable"
        case 530 | 534 | 535:
            kind = "auth"
        case 552 | 523:
            kind = "too_large"
        case _:
            kind = "denied"
    return ToolFailed(kind, f"{said}; nothing was sent", retryable=kind == "unavailable")


def _said(code: int, text: Any) -> str:
    return f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"[:300]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
