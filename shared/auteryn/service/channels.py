"""Who is notified, in the words people write: `mailto:ann@example.com`, `slack:#alerts`, `webhook:NAME`, `https://…`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast, get_args

import msgspec

from auteryn.errors import Invalid, ToolFailed
from auteryn.schema.run import Channel, Occasion
from auteryn.tools.egress import readable

MOST_CHANNELS = 20
_EMAIL = re.compile(r"[^\s@<>,;]{1,64}@[^\s@<>,;]{1,250}")
_SLACK = re.compile(r"#[a-z0-9._-]{1,80}|[CGD][A-Z0-9]{6,}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Written = str | Channel | Mapping[str, Any]


def channels(given: Written | Sequence[Written] | None) -> tuple[Channel, ...]:
    """The channels somebody wrote down, one or several; raises `Invalid` naming the one that is none."""
    if given is None:
        return ()
    several = [given] if isinstance(given, str | Channel | Mapping) else given
    found = tuple(_channel(one) for one in several)
    check_channels(found)
    return found


def check_channels(found: Iterable[Channel]) -> None:
    """Raises `Invalid` for an address that can be none, and for occasions that do not exist."""
    listed = tuple(found)
    if len(listed) > MOST_CHANNELS:
        raise Invalid("notify", len(listed), f"are more than {MOST_CHANNELS}")
    for one in listed:
        _check(one)


def _channel(given: Any) -> Channel:
    if isinstance(given, Channel):
        given = msgspec.to_builtins(given)
    if isinstance(given, str):
        return _read(given)
    if not isinstance(given, Mapping):
        raise Invalid("notify", given, "must be an address such as 'mailto:ann@example.com', 'slack:#alerts', 'https://…'")
    fields = dict(cast("Mapping[str, Any]", given))
    if "address" in fields:
        read = _read(str(fields.pop("address")))
        fields = {"kind": read.kind, "to": read.to, **fields}
    try:
        return msgspec.convert(fields, Channel)
    except msgspec.ValidationError as error:
        raise Invalid("notify", given, f"is no channel (address, on): {error}") from error


def _read(text: str) -> Channel:
    scheme, _, rest = text.strip().partition(":")
    match scheme.lower():
        case "mailto" | "email":
            return Channel(kind="email", to=rest)
        case "slack":
            return Channel(kind="slack", to=rest)
        case "webhook":
            return Channel(kind="webhook", to=rest)
        case "https" | "http":
            return Channel(kind="webhook", to=text.strip())
        case _ if _EMAIL.fullmatch(text.strip()):
            return Channel(kind="email", to=text.strip())
        case _:
            raise Invalid("notify", text, "must begin with mailto:, slack:, webhook: or https://")


def _check(one: Channel) -> None:
    match one.kind:
        case "email":
            good, rule = bool(_EMAIL.fullmatch(one.to)), "a mail address such as mailto:ann@example.com"
        case "slack":
            good, rule = bool(_SLACK.fullmatch(one.to)), "a Slack channel such as slack:#alerts"
        case "webhook":
            good, rule = bool(_NAME.fullmatch(one.to)) or _is_address(one.to), "a webhook's name or https address"
    if not good:
        raise Invalid("notify", one.to, f"must be {rule}")
    for occasion in one.on:
        if occasion not in get_args(Occasion):
            raise Invalid("notify.on", occasion, f"is none of {', '.join(get_args(Occasion))}")
    if not one.on:
        raise Invalid("notify.on", [], f"must name when: {', '.join(get_args(Occasion))}")


def _is_address(text: str) -> bool:
    """Whether the guard could ever let it pass; the host itself is judged when it is called."""
    try:
        return text.startswith(("https://", "http://")) and bool(readable(text))
    except ToolFailed:
        return False
