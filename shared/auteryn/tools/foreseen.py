"""What a call would send, in words and hashes: shown to whoever must allow it, and worked out again before it goes.

A file that was changed between the question and the sending has another hash, and the permission does not cover it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from auteryn.errors import ToolFailed
from auteryn.tools.hidden import PutAway
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
