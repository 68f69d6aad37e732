"""Electronic mail through the owner's own server. A message leaves once: what may have left is never sent again."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import MB
from auteryn.tools import foreseen
from auteryn.tools.egress_addresses import plain_host
from auteryn.tools.leash import in_thread
from auteryn.tools.needs import MAIL_SENDER, MAIL_SERVER, no_mail
from auteryn.tools.tool import Result, ToolContext, tool

if TYPE_CHECKING:
    from email.headerregistry import Address
    from email.message import EmailMessage

MOST_RECIPIENTS = 50
MESSAGE_BYTES = 20 * MB
"""Attachments together; most servers take 25 MB, and base64 adds a third to what is counted there."""

_USER = re.compile(r"""[^\s@"<>(),;:\\\[\]\x00-\x20]{1,64}""")


@tool(
    effect="once",
    permission="ask",
    group="communicate",
    missing=no_mail,
    sends=True,
    timeout=timedelta(seconds=180),
    target=lambda args: ", ".join([*args["to"], *args.get("cc", [])]),
    preview=foreseen.mail,
    recipients=lambda args: [_bare(one) for one in (*args["to"], *args.get("cc", []))],
)
async def email_send(
    ctx: ToolContext,
    to: Annotated[list[str], "Addresses", Meta(min_length=1, max_length=MOST_RECIPIENTS)],
    subject: Annotated[str, "One line", Meta(min_length=1, max_length=300)],
    body_markdown: Annotated[str, "The text, in Markdown", Meta(min_length=1, max_length=200_000)],
    attachments: Annotated[list[str], "Files to attach", Meta(max_length=20)] = [],  # noqa: B006 - never changed
    cc: Annotated[list[str], "Addresses that get a copy", Meta(max_length=MOST_RECIPIENTS)] = [],  # noqa: B006 - never changed
) -> dict[str, Any] | Result:
    """Send an e-mail. A person sees it and allows it before."""
    from auteryn.tools.mail_server import MailServer, hand_over  # here: 9 ms that few runs want

    try:
        server = MailServer.at(os.environ.get(MAIL_SERVER, ""))
    except ValueError as error:
        raise ToolFailed("not_configured", f"{MAIL_SERVER} {error}") from None
    message = _message(ctx, to, cc, subject, body_markdown, attachments)
    recipients = [address(one).addr_spec for one in dict.fromkeys([*to, *cc])]
    egress = ctx.egress.trusting(f"http://{_bracketed(server.host)}:{server.port}")
    addresses = await egress.addresses(server.host, server.port)
    refused = await in_thread(lambda leash: hand_over(server, addresses[0], message, recipients, leash))
    took = [one for one in recipients if one not in refused]
    told: dict[str, Any] = {"sent": True, "message_id": str(message["Message-ID"]), "to": took}
    return Result(output=told | {"refused": refused}, reached=tuple(took)) if refused else told


# ---- the message -------------------------------------------------------------------------------------------------


def _message(
    ctx: ToolContext, to: Sequence[str], cc: Sequence[str], subject: str, markdown: str, attachments: Sequence[str]
) -> EmailMessage:
    from email.message import EmailMessage
    from email.utils import format_datetime

    sender = address(os.environ[MAIL_SENDER])
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
    from email.headerregistry import Address
    from email.utils import getaddresses

    (name, spec), *more = getaddresses([text]) or [("", "")]
    user, _, domain = spec.rpartition("@")
    try:
        if more or spec not in text or not _USER.fullmatch(user) or not plain_host(domain) or any(sign < " " for sign in text):
            raise ValueError
        return Address(name, user, domain)
    except (ValueError, IndexError) as error:
        raise ToolFailed("invalid", f"{field}: {text!r} must be one address such as ann@example.com") from error


def _bare(text: str) -> str:
    """The address without the name before it; what is none is left as it stands, and the call refuses it."""
    try:
        return address(text).addr_spec
    except ToolFailed:
        return text


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
