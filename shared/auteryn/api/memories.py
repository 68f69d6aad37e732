"""Routes of what an owner's runs keep for later ones."""

from __future__ import annotations

from starlette.responses import Response

from auteryn.api import bodies as b
from auteryn.api import views as v
from auteryn.api.call import Call


async def list_memories(call: Call[b.Empty, None]) -> v.Memories:
    """What the owner's runs have saved for later ones, newest first."""
    return v.Memories(memories=tuple(await call.desk.memories()))


async def forget_memory(call: Call[b.Empty, None]) -> Response:
    """No later run finds it any more."""
    await call.desk.forget(call.path["memory"])
    return Response(status_code=204)
