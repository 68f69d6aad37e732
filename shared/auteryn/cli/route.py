"""`auteryn route`: which mode a task would get, and why."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from auteryn.cli import output
from auteryn.cli.root import Common, common
from auteryn.errors import Invalid
from auteryn.ports.model import Model


@click.command()
@click.argument("prompt", required=False)
@click.option("--jsonl", is_flag=True, help="Read prompts from stdin: JSON lines with `prompt` (and `id`), or plain lines.")
@click.option("--no-classifier", is_flag=True, help="Patterns only, even where a model key is set.")
@common
@click.pass_obj
def route(common: Common, prompt: str | None, jsonl: bool, no_classifier: bool) -> None:
    """Show which mode a task would get: FAST or DEEP, decided by which stage, how surely, and why.

    Patterns decide alone where they are sure. For the rest the classifier is asked once, if a model key is set.
    """
    if (prompt is None) != jsonl:
        raise click.UsageError('give either a prompt (auteryn route "What is X?") or --jsonl with lines on stdin')
    asked = _lines() if jsonl else iter([{"prompt": prompt or ""}])
    asyncio.run(_route(common, asked, classifier=not no_classifier and _has_key()))


async def _route(common: Common, asked: Iterator[dict[str, Any]], *, classifier: bool) -> None:
    from auteryn.routing.router import route as decide

    model = _model() if classifier else None
    try:
        for one in asked:
            decision = await decide(one["prompt"], "auto", model)
            kept = {"id": one["id"]} if "id" in one else {}
            if common.json:
                shown = {
                    "mode": decision.mode,
                    "stage": decision.stage,
                    "confidence": decision.confidence,
                    "sure": decision.sure,
                }
                output.json_line({**kept, "prompt": one["prompt"], **shown, "reason": decision.reason})
            else:
                sure = "sure" if decision.sure else "not sure"
                name = f"{kept['id']}  " if kept else ""
                output.text(
                    f"{name}{decision.mode.upper()}  {decision.stage}  {decision.confidence:.2f} ({sure})  {decision.reason}"
                )
    finally:
        if model:
            await model.close()


def _lines() -> Iterator[dict[str, Any]]:
    """Prompts from stdin; a line that is no JSON object is the prompt itself."""
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        if not line.lstrip().startswith("{"):
            yield {"prompt": line.rstrip("\n")}
            continue
        try:
            found: Any = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise Invalid(f"line {number}", line.strip(), f"is no JSON: {error}") from error
        if not isinstance(found.get("prompt"), str):
            raise Invalid(f"line {number}", line.strip(), 'needs a field "prompt" with a text')
        yield found


def _has_key() -> bool:
    from auteryn.compose import model_access

    return bool(model_access())


def _model() -> Model:
    from auteryn.compose import Settings, gemini

    return gemini(Settings.from_environment())
