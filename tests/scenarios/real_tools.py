"""The built-in tools for stories in virtual time that really talk to servers, browsers and other programs."""

from __future__ import annotations

import asyncio
import inspect
from functools import wraps
from typing import Any

from msgspec.structs import replace

from auteryn.tools.builtin import builtin_tools
from auteryn.tools.tool import Tool


def still(one: Tool) -> Tool:
    """The tool, with time passing as it really does while it talks over real sockets."""

    @wraps(one.fn)
    async def call_it(*first: Any, **given: Any) -> Any:
        loop: Any = asyncio.get_running_loop()
        with loop.as_it_passes():
            return await one.fn(*first, **given)

    return replace(one, fn=call_it) if inspect.iscoroutinefunction(one.fn) else one


REAL = [still(one) for one in builtin_tools()]
