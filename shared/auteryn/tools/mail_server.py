"""The owner's mail server, by SMTP: a message is handed over once, and whoever asks is told what may have left."""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from auteryn.errors import ToolFailed
from auteryn.schema.record import Record
from auteryn.tools.egress_addresses import plain_host
from auteryn.tools.leash import Leash

TALK = timedelta(seconds=30)
"""Longest silence of the server."""
CONNECT = timedelta(seconds=10)

_PORTS = {"smtp": 587, "smtps": 465}


class MailServer(Record):
    """Where it is, and who logs in."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    @classmethod
    def at(cls, address: str) -> MailServer:
        """As a URL names it (`smtp://user:password@host:587`, `smtps://…`); raises `ValueError`."""
        url: SplitResult = urlsplit(address)
        if url.scheme not in _PORTS or not url.hostname:
            raise ValueError("must begin with smtp:// or smtps:// and name a host")
        port = url.port or _PORTS[url.scheme]
        user, password = unquote(url.username or ""), unquote(url.password or "")
        return cls(scheme=url.scheme, host=plain_host(url.hostname), port=port, user=user, password=password)


class _Talk(smtplib.SMTP):
    """A connection to the address that was judged; knows from when on the message may have arrived."""

    handed_over = False

    def __init__(self, server: MailServer, address: str, leash: Leash) -> None:
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


def hand_over(server: MailServer, address: str, message: EmailMessage, recipients: list[str], leash: Leash) -> dict[str, str]:
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


def _greet(talk: _Talk, server: MailServer) -> None:
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


def _failed(server: MailServer, error: Exception, *, handed_over: bool) -> ToolFailed:
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
