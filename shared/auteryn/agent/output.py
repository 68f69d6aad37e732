"""What a call is answered. Large outputs go to a file at once; the conversation holds head, tail and path."""

from __future__ import annotations

import json
from typing import Any, cast

from auteryn.agent.thread import OpenCall
from auteryn.errors import ToolFailed
from auteryn.policy.limits import OUTPUT_CAP, OUTPUT_HEAD, OUTPUT_TAIL
from auteryn.schema import event as e
from auteryn.schema.record import as_text, to_json
from auteryn.tools.files import LINE
from auteryn.tools.workspace import OUTPUTS, Workspace


def capped(output: Any, call: str, files: Workspace) -> tuple[Any, bool]:
    """The output as the model sees it, and whether it was cut. The whole then lies in `outputs/<call>`, its
    long texts once more beside it, line by line."""
    raw = to_json(output)
    if len(raw) <= OUTPUT_CAP:
        return output, False
    whole = _whole(output, raw)
    path = f"{OUTPUTS}/{call}.{'txt' if isinstance(output, str) else 'json'}"
    files.write(path, whole.encode())
    shown = _ends(whole) | {"path": path, "note": "the whole output is in the file: file_read and file_grep open it"}
    if texts := _long_texts(output):
        named = {name: f"{OUTPUTS}/{call}.{name}.txt" for name in texts}
        for name, place in named.items():
            files.write(place, texts[name].encode())
        shown["texts"] = named
    return shown, True


def _long_texts(output: Any) -> dict[str, str]:
    """Parts that JSON writes into one endless line, which no tool shows whole: by name."""
    parts = cast("dict[str, Any]", output).items() if isinstance(output, dict) else ()
    return {
        name: text
        for name, text in parts
        if name.isidentifier() and isinstance(text, str) and len(text) > LINE and "\n" in text
    }


def told_in_part(output: Any, why: str) -> dict[str, Any]:
    """Only head and tail, where the whole cannot be stored."""
    return _ends(_whole(output, to_json(output))) | {"note": f"the rest could not be kept: {why}"}


def _whole(output: Any, raw: bytes) -> str:
    return output if isinstance(output, str) else json.dumps(json.loads(raw), ensure_ascii=False, indent=1)


def _ends(whole: str) -> dict[str, Any]:
    return {"cut": True, "head": whole[:OUTPUT_HEAD], "tail": whole[-OUTPUT_TAIL:], "chars_total": len(whole)}


def answered(call: OpenCall, output: Any) -> e.CallAnswered:
    return e.CallAnswered(call=call.id, tool=call.name, output=output)


def failed(call: OpenCall, error: ToolFailed, *, ms: int = 0, labels: tuple[str, ...] = ()) -> e.CallAnswered:
    return e.CallAnswered(call=call.id, tool=call.name, output=as_text(str(error)), error=error.kind, ms=ms, labels=labels)
