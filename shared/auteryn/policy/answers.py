"""What a person may answer, and what may be asked. Pure; every refusal names the rule."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, assert_never, cast, get_args
from urllib.parse import urlsplit

from auteryn.errors import Invalid
from auteryn.policy.answer_schema import check_schema, compiled, matches
from auteryn.policy.durations import shown
from auteryn.policy.gates import ALLOW_FOR_RUN, DENY_FOR_RUN
from auteryn.schema.human import Ask, InputType, OnTimeout, People

LONGEST_ANSWER = 20_000
"""Characters; a longer text is a file."""
LONGEST_QUESTION = 20_000
"""Characters of what is asked, and of what there is to know about it: whoever decides must be able to read it."""
MOST_OPTIONS = 50
LONGEST_OPTION = 500
MOST_APPROVERS = 20
LEAST_REMINDER = timedelta(minutes=5)

_EMAIL = re.compile(r"[^@\s]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_NAMED_RULES = ("email", "url", "number", "date")


def checked(ask: Ask, value: Any) -> Any:
    """The answer as it is stored: an option verbatim, text, a number, an ISO date, JSON. Raises `Invalid` with the rule."""
    if ask.options:
        return _option(ask, value)
    match ask.input_type:
        case "number":
            found: Any = _number(value)
        case "date":
            found = _date(value)
        case "json":
            found = _json(ask, value)
        case "email" | "url":
            found = _matching(ask.input_type, _text(value))
        case "text" | "choice":
            found = _text(value)
        case _:
            assert_never(ask.input_type)
    if ask.validation:
        _matching(ask.validation, found if isinstance(found, str) else str(found))
    return found


def check_question(ask: Ask) -> None:
    """Raises `Invalid` for a question nobody could answer: no text, no options to choose from, an unknown rule."""
    if not isinstance(cast("Any", ask.message), str) or not ask.message.strip():
        raise Invalid("message", ask.message, "must ask something")
    for field, text in (("message", ask.message), ("context", ask.context)):
        if len(text) > LONGEST_QUESTION:
            raise Invalid(field, text, f"has {len(text):,} characters, more than {LONGEST_QUESTION:,}: publish it as a file")
    if ask.input_type not in get_args(InputType):
        raise Invalid("input_type", ask.input_type, f"is none of {', '.join(get_args(InputType))}")
    _check_options(ask)
    if ask.validation:
        _check_rule(ask.validation, ask.input_type)
    if ask.json_schema is not None:
        check_schema(ask.json_schema)
        if ask.input_type != "json":
            raise Invalid("json_schema", ask.json_schema, f"belongs to input_type 'json', not to {ask.input_type!r}")
    _check_approvers(ask.approvers, ask.escalate_to, ask.quorum)
    _check_silence(ask.on_timeout, ask.timeout, ask.escalate_to)
    if ask.on_timeout == "default":
        if ask.default is None:
            raise Invalid("default", None, "must be given when on_timeout is 'default'")
        checked(ask, ask.default)


def remembers(ask: Ask, value: Any) -> bool:
    """Whether this answer to a gate holds for the rest of the run."""
    return ask.kind == "gate" and value in (ALLOW_FOR_RUN, DENY_FOR_RUN)


def check_people(people: People) -> None:
    """Raises `Invalid` for approvers nobody could be, and for an `on_timeout` that cannot be carried out."""
    _check_approvers(people.approvers, people.escalate_to, people.quorum, "people.")
    if people.on_timeout == "default":
        raise Invalid(
            "people.on_timeout", "default", "is for questions that name a default; 'wait', 'deny', 'halt', 'escalate'"
        )
    _check_silence(people.on_timeout, people.timeout, people.escalate_to, "people.")
    if people.remind_every < LEAST_REMINDER:
        raise Invalid("people.remind_every", str(people.remind_every), f"must be at least {shown(LEAST_REMINDER)}")


# ---- the kinds of answers ------------------------------------------------------------------------------------


def _option(ask: Ask, value: Any) -> str:
    if value not in ask.options:
        raise Invalid("answer", value, f"is none of the options: {', '.join(map(repr, ask.options))}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Invalid("answer", value, "must be a text that says something")
    if len(value) > LONGEST_ANSWER:
        raise Invalid("answer", value, f"is longer than {LONGEST_ANSWER:,} characters")
    return value


def _number(value: Any) -> int | float:
    if isinstance(value, str):
        text = value.strip()
        try:
            value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else float(text)
        except ValueError:
            raise Invalid("answer", value, "must be a number such as 12 or 3.5") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid("answer", value, "must be a number such as 12 or 3.5")
    return value


def _date(value: Any) -> str:
    try:
        return (value if isinstance(value, date) else date.fromisoformat(str(value).strip())).isoformat()[:10]
    except ValueError:
        raise Invalid("answer", value, "must be a date such as '2026-01-31'") from None


def _json(ask: Ask, value: Any) -> Any:
    """A JSON value. Text that spells one is parsed, unless the schema asks for text."""
    if isinstance(value, str) and not (ask.json_schema and _why_not(ask, value) is None):
        try:
            value = json.loads(value)
        except ValueError:
            raise Invalid("answer", value, "must be JSON") from None
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise Invalid("answer", value, "must be JSON, whose numbers are finite") from None
    if why := _why_not(ask, value):
        raise Invalid("answer", value, why)
    return value


def _why_not(ask: Ask, value: Any) -> str | None:
    return matches(value, ask.json_schema) if ask.json_schema else None


# ---- named rules ---------------------------------------------------------------------------------------------


def _matching(rule: str, text: str) -> str:
    """The text, if it keeps the rule `email`, `url`, `number`, `date` or `regex:PATTERN` (the whole text matches)."""
    match rule:
        case "email":
            if not _EMAIL.fullmatch(text.strip()) or len(text) > 254:
                raise Invalid("answer", text, "must be an e-mail address such as 'ann@example.com'")
            return text.strip()
        case "url":
            if not _is_url(text.strip()):
                raise Invalid("answer", text, "must be a web address such as 'https://example.com/page'")
            return text.strip()
        case "number":
            _number(text)
        case "date":
            _date(text)
        case _:
            pattern = rule.removeprefix("regex:")
            if not compiled(pattern).fullmatch(text):
                raise Invalid("answer", text, f"must match the pattern {pattern!r}")
    return text


def _is_url(text: str) -> bool:
    if re.search(r"\s", text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


# ---- questions -----------------------------------------------------------------------------------------------


def _check_options(ask: Ask) -> None:
    needed = ask.kind == "approval" or ask.input_type == "choice"
    if needed and not ask.options:
        raise Invalid("options", ask.options, "must name what can be chosen")
    if len(ask.options) > MOST_OPTIONS:
        raise Invalid("options", len(ask.options), f"are more than {MOST_OPTIONS}")
    for option in ask.options:
        if not isinstance(cast("Any", option), str) or not option.strip():
            raise Invalid("options", option, "must be a text that says something")
        if len(option) > LONGEST_OPTION:
            raise Invalid("options", option, f"is longer than {LONGEST_OPTION} characters: say more in the message")
        if ask.options.count(option) > 1:
            raise Invalid("options", option, "stands there twice")
    if ask.default is not None and ask.options and ask.default not in ask.options:
        raise Invalid("default", ask.default, f"is none of the options: {', '.join(map(repr, ask.options))}")


def _check_approvers(approvers: Sequence[Any], escalate_to: Sequence[Any], quorum: int, of: str = "") -> None:
    for field, names in (("approvers", approvers), ("escalate_to", escalate_to)):
        if len(names) > MOST_APPROVERS:
            raise Invalid(f"{of}{field}", len(names), f"are more than {MOST_APPROVERS}")
        for name in names:
            if not isinstance(name, str) or not name.strip() or len(name) > 200:
                raise Invalid(f"{of}{field}", name, "must be a name or address; * stands for any part of it")
    fixed = bool(approvers) and not any("*" in name for name in approvers)
    most = len(set(approvers)) if fixed else MOST_APPROVERS
    if not 1 <= quorum <= most:
        raise Invalid(f"{of}quorum", quorum, f"must be 1 to {most}, as many as there are approvers")


def _check_silence(on_timeout: str, timeout: timedelta | None, escalate_to: Sequence[str], of: str = "") -> None:
    if on_timeout not in get_args(OnTimeout):
        raise Invalid(f"{of}on_timeout", on_timeout, f"is none of {', '.join(get_args(OnTimeout))}")
    if timeout is not None and timeout <= timedelta():
        raise Invalid(f"{of}timeout", str(timeout), "must be longer than nothing")
    if on_timeout != "wait" and timeout is None:
        raise Invalid(f"{of}timeout", None, f"must be given when on_timeout is {on_timeout!r}")
    if (on_timeout == "escalate") != bool(escalate_to):
        raise Invalid(
            f"{of}escalate_to", list(escalate_to), "must name who is next when on_timeout is 'escalate', and only then"
        )


def _check_rule(rule: str, input_type: InputType) -> None:
    if input_type == "json":
        raise Invalid("validation", rule, "is for text: json_schema says what JSON must be")
    if rule.startswith("regex:"):
        compiled(rule.removeprefix("regex:"))
    elif rule not in _NAMED_RULES:
        raise Invalid("validation", rule, f"is none of {', '.join(_NAMED_RULES)} or 'regex:PATTERN'")
    elif input_type not in ("text", "choice", rule):
        raise Invalid("validation", rule, f"is never kept by an answer of input_type {input_type!r}")
