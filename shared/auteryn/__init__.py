"""Agents that work for days: `Agent`, `Task`, `tool`, and the errors. Importing it loads nothing until a name is used."""

import sys

if sys.platform == "win32":
    raise ImportError("Auteryn runs on Linux and macOS: on Windows, install and start it inside WSL")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from auteryn.client.agent import Agent
    from auteryn.client.task import Result, Status, Task
    from auteryn.errors import (
        AuterynError,
        Conflict,
        Corrupt,
        DiskFull,
        Exhausted,
        Invalid,
        ModelRefused,
        NotAllowed,
        NotFound,
        RateLimited,
        Refused,
        Retryable,
        RunCancelled,
        RunFailed,
        ToolFailed,
        Unavailable,
        WrongState,
    )
    from auteryn.tools.tool import ToolContext, tool

__all__ = [
    "Agent",
    "AuterynError",
    "Conflict",
    "Corrupt",
    "DiskFull",
    "Exhausted",
    "Invalid",
    "ModelRefused",
    "NotAllowed",
    "NotFound",
    "RateLimited",
    "Refused",
    "Result",
    "Retryable",
    "RunCancelled",
    "RunFailed",
    "Status",
    "Task",
    "ToolContext",
    "ToolFailed",
    "Unavailable",
    "WrongState",
    "tool",
]

_ROOMS = {
    "Agent": "client.agent",
    "Result": "client.task",
    "Status": "client.task",
    "Task": "client.task",
    "ToolContext": "tools.tool",
    "tool": "tools.tool",
}
"""Where a name lives that is not one of the errors."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{_ROOMS.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
