"""Which tools there are, which of them the model sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auteryn.errors import Invalid, ToolFailed
from auteryn.ports.model import Declaration
from auteryn.tools.tool import Tool


class Registry:
    """Tools by name. What cannot work here is left out of sight, with the reason kept for `auteryn doctor`."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self.hidden: dict[str, str] = {}
        """Name → why it is missing."""
        for one in tools:
            self.add(one)

    def add(self, tool: Tool) -> None:
        """Register a tool; a second one of the same name is refused."""
        if tool.name in self._tools or tool.name in self.hidden:
            raise Invalid("tool", tool.name, "is registered already")
        why = tool.missing() if tool.missing else None
        if why:
            self.hidden[tool.name] = why
        else:
            self._tools[tool.name] = tool

    def get(self, name: str) -> Tool:
        """The tool; raises `ToolFailed` with what the model should do instead."""
        if found := self._tools.get(name):
            return found
        if why := self.hidden.get(name):
            raise ToolFailed("missing_extra", f"{name} cannot be used here: {why}")
        raise ToolFailed("not_found", f"there is no tool {name!r}; tool_search finds what there is")

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def __len__(self) -> int:
        return len(self._tools)

    def declared(self, mode: str, found: Iterable[str] = (), without: Iterable[str] = ()) -> tuple[Declaration, ...]:
        """What the model sees: the mode's own tools in registration order, then those found by search, in that order.

        The order never changes while a run lives, so the prompt's prefix stays cached.
        """
        kept_out = set(without)
        first = [one for one in self if mode in one.modes and one.name not in kept_out]
        names = {one.name for one in first}
        later = [self._tools[name] for name in dict.fromkeys(found) if name in self._tools and name not in names | kept_out]
        return tuple(one.declaration() for one in [*first, *later])
