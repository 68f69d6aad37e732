"""Picking values out of JSON."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Annotated, Any

import msgspec

from auteryn.errors import ToolFailed
from auteryn.tools.tool import ToolContext, tool


@tool(reads_files=True, effect="read", group="utility", cost=0)
def json_query(
    ctx: ToolContext,
    source: Annotated[str, "Path of a .json or .jsonl file, or JSON text"],
    expression: Annotated[str, "JMESPath, e.g. `items[?price > `10`].name | [0]`"],
) -> dict[str, Any]:
    """Pick values out of JSON with a JMESPath expression."""
    import jmespath
    import jmespath.exceptions

    try:
        wanted = jmespath.compile(expression)
        return {"result": wanted.search(_read(ctx, source))}
    except jmespath.exceptions.JMESPathError as error:
        raise ToolFailed("invalid", f"expression: {expression!r} is no JMESPath expression for this: {error}") from error
    except RecursionError:
        raise ToolFailed("invalid", "expression and JSON nest too deeply") from None


def _read(ctx: ToolContext, source: str) -> Any:
    is_text = source.lstrip()[:1] in ("{", "[", '"')
    raw = source.encode("utf-8", "replace") if is_text else ctx.files.read(source).removeprefix(BOM_UTF8)
    try:
        if not is_text and source.lower().endswith((".jsonl", ".ndjson")):
            return [msgspec.json.decode(line) for line in raw.splitlines() if line.strip()]
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ToolFailed("invalid", f"source: {'the text' if is_text else repr(source)} is no JSON: {error}") from error
