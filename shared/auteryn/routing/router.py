"""Request → patterns → classifier → FAST or DEEP (spec, "Smart Routing")."""

from __future__ import annotations

import msgspec

from auteryn.errors import Invalid
from auteryn.ports.model import Model
from auteryn.routing.classifier import classify
from auteryn.routing.patterns import pattern
from auteryn.schema.routing import Decision


async def route(prompt: str, mode: str = "auto", model: Model | None = None) -> Decision:
    """The mode of a new run, and why.

    `mode="fast"` or `"deep"` decides at once. With `"auto"` the patterns decide where they are sure; else `model` is asked
    exactly once, and if it does not answer the patterns' best guess stands. Raises `Invalid` for any other mode.
    """
    match mode:
        case "fast" | "deep":
            return Decision(mode=mode, stage="forced", confidence=1.0, sure=True, reason=f"the caller asked for mode={mode!r}")
        case "auto":
            guess = pattern(prompt)
        case _:
            raise Invalid("mode", mode, "is none of 'auto', 'fast', 'deep'; leave it out for 'auto'")
    if guess.sure:
        return guess
    answer = await classify(prompt, model) if model else None
    return answer or msgspec.structs.replace(guess, stage="fallback")
