"""A model that answers what it is told to, and remembers what it was asked."""

from __future__ import annotations

import asyncio

from auteryn.ports.model import ModelRequest, Role
from auteryn.schema.message import Reply


class Answers:
    """Answers every request with `text`, raises it when it is an exception, or never answers when it is None."""

    searches = False

    def __init__(self, text: str | BaseException | None) -> None:
        self.text = text
        self.asked: list[ModelRequest] = []

    async def generate(self, request: ModelRequest, *, on_delta=None, spend=None) -> Reply:
        self.asked.append(request)
        if spend:
            await spend(1, "")
        if isinstance(self.text, BaseException):
            raise self.text
        if self.text is None:
            await asyncio.Event().wait()
        return Reply(
            model="scripted", content={"role": "model", "parts": [{"text": self.text}]}, finish="stop", text=str(self.text)
        )

    def model_id(self, role: Role) -> str:
        return "scripted"

    async def close(self) -> None: ...
