"""What a call would send, in words and hashes: shown to whoever must allow it, and worked out again before it goes.

A file that was changed between the question and the sending has another hash, and the permission does not cover it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from auteryn.errors import ToolFailed
from auteryn.tools.browser_trail import Field, Trail
from auteryn.tools.hidden import PutAway
from auteryn.tools.web import host_of
from auteryn.tools.workspace import Workspace

CHUNK_BYTES = 1 << 20


def mail(args: dict[str, Any], files: Workspace) -> str:
    """The letter as it would be read."""
    head = [f"To: {', '.join(args['to'])}", *([f"Cc: {', '.join(args['cc'])}"] if args.get("cc") else [])]
    return "\n".join(
        [*head, f"Subject: {args['subject']}", "", args["body_markdown"], *attached(args.get("attachments", ()), files)]
    )


def message(args: dict[str, Any], files: Workspace) -> str:
    """The post as it would be read."""
    where = f"To: {args['channel']}" + (f", in the thread {args['thread']}" if args.get("thread") else "")
    return "\n".join([where, "", args["text"], *attached(args.get("files", ()), files)])


def request(name: str, url: str, payload: dict[str, Any]) -> str:
    """What a named target would be sent; its address may hold a secret, so only the host is shown."""
    return f"To: {name} ({host_of(url) or 'no address is set'})\n\n{json.dumps(payload, ensure_ascii=False, indent=2)}"


def wiki_page(args: dict[str, Any], files: Workspace) -> str:
    """The page as it would be written."""
    how = {"replace": "its text is replaced", "append": "added at its end", "create": "a new page"}[
        args.get("mode") or "replace"
    ]
    above = [f"Under: {args['parent']}"] if args.get("parent") else []
    return "\n".join([f"Space: {args['space']}", f"Page: {args['title']} ({how})", *above, "", args["body_markdown"]])


def appointment(args: dict[str, Any], files: Workspace) -> str:
    """The appointment as it would be written into a file; nobody is invited by it alone."""
    told = [("File", "path"), ("What", "title"), ("From", "start"), ("To", "end"), ("Time zone", "tz"), ("Where", "location")]
    lines = [f"{name}: {args[key]}" for name, key in (*told, ("Again", "rrule")) if args.get(key)]
    who = [f"With: {', '.join(args['attendees'])}"] if args.get("attendees") else []
    return "\n".join([*lines, *who, *(["", args["description"]] if args.get("description") else [])])


def on_page(trail: Trail, fields: Iterable[Field], act: str) -> str:
    """What would be done on the open page: where, what stands in its fields then, and the act."""
    typed = {one.ref: one for one in (*trail.filled, *fields)}
    lines = [f"{_label(trail, ref)}: {_typed(one)}" for ref, one in typed.items()]
    return "\n".join([f"On: {trail.url}", *lines, *([act] if act else [])])


def _label(trail: Trail, ref: str) -> str:
    element = trail.element(ref)
    return f"{element.role} “{element.name}”" if element else ref


def _typed(field: Field) -> str:
    if field.credential:
        return f"the secret named {field.credential}"
    return field.value if isinstance(field.value, str) else json.dumps(field.value, ensure_ascii=False)


def attached(paths: Iterable[str], files: Workspace) -> list[str]:
    """A line for each file, with what is in it now."""
    return [f"Attached: {path} ({_content(path, files)})" for path in paths]


def _content(path: str, files: Workspace) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with files.reading(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except PutAway:
        there = files.away(path)
        assert there is not None
        return f"{there.size_bytes:,} bytes, sha256 {there.sha256}"
    except (ToolFailed, OSError) as error:
        return f"cannot be read: {error}"
    return f"{size:,} bytes, sha256 {digest.hexdigest()}"
