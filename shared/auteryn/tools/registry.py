"""Which tools there are, which of them the model sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from auteryn.errors import Invalid, ToolFailed
from auteryn.ports.model import Declaration
from auteryn.schema.run import Run
from auteryn.tools.catalogue import Listed
from auteryn.tools.tool import Tool, about

SEARCH = "tool_search"
INDEX_LINE = 70
"""Characters about a tool in the index."""

DECLARATIONS_KEPT = 100
"""Sets of tools remembered as they are declared: the steps of a plan mostly ask for the same."""

NOT_FOR_STEPS = ("plan_create", "plan_update", "schedule", "go_deep", "agent_spawn")
"""A step does its own work: it makes no plans and no schedules."""


def kept_out(run: Run) -> tuple[str, ...]:
    """Tools this run never sees, nor finds."""
    return NOT_FOR_STEPS if run.parent else ("go_deep",) if run.mode == "deep" else ()


class Registry:
    """Tools by name. What cannot work here is left out of sight, with the reason kept for `auteryn doctor`.

    Whether a tool can work is found out when somebody first asks for it: finding a sandbox takes a fraction of a second. A
    built-in tool is imported when it is first called; until then its entry in the catalogue stands for it.
    """

    def __init__(
        self, tools: Iterable[Tool | Listed] = (), *, first: Callable[[], Iterable[Tool | Listed]] | None = None
    ) -> None:
        """`first`: called for the tools that come before all others, when any tool is first asked for or added. Who only reads
        a run need not wait for them."""
        self._known: dict[str, Tool | Listed] = {}
        self._first = first
        self._why: dict[Callable[[], str | None], str | None] = {}
        self._declared: dict[tuple[str, tuple[str, ...], tuple[str, ...]], tuple[Declaration, ...]] = {}
        for one in tools:
            self.add(one)

    def add(self, tool: Tool | Listed) -> None:
        """Register a tool; a second one of the same name is refused."""
        if tool.name in self._all:
            raise Invalid("tool", tool.name, "is the name of another tool here: give yours one of its own, @tool(name=…)")
        self._known[tool.name] = tool
        self._declared.clear()

    def get(self, name: str) -> Tool:
        """The tool; raises `ToolFailed` with what the model should do instead."""
        if name in self:
            return self._tool(name)
        if name in self._all:
            raise ToolFailed("missing_extra", f"{name} cannot be used here: {self._missing(name)}")
        plain = re.sub(r"\W|_", "", re.split(r"[.:/]", name)[-1]).lower()
        meant = next((one.name for one in self.listed() if one.name.replace("_", "").lower() == plain), None)
        rule = f"call it {meant!r}" if meant else "tool_search finds what there is"
        raise ToolFailed("not_found", f"there is no tool {name!r}; {rule}")

    @property
    def hidden(self) -> dict[str, str]:
        """Name → why it is missing."""
        return {name: why for name in self._all if (why := self._missing(name))}

    def __iter__(self) -> Iterator[Tool]:
        return (self._tool(one.name) for one in [*self.listed()])

    def listed(self) -> Iterator[Tool | Listed]:
        """What can work here, as it is shown: nothing is imported."""
        return (one for name, one in self._all.items() if name in self)

    def __contains__(self, name: str) -> bool:
        return name in self._all and self._missing(name) is None

    def __len__(self) -> int:
        return sum(1 for _ in self.listed())

    def _tool(self, name: str) -> Tool:
        one = self._all[name]
        if isinstance(one, Listed):
            one = self._known[name] = one.tool()
        return one

    @property
    def _all(self) -> dict[str, Tool | Listed]:
        if self._first is not None:
            self._known, self._first = {one.name: one for one in self._first()}, None
        return self._known

    def _missing(self, name: str) -> str | None:
        missing = self._all[name].missing
        if missing is None:
            return None
        if missing not in self._why:
            self._why[missing] = missing() or None
        return self._why[missing]

    def declared(self, mode: str, found: Iterable[str] = (), without: Iterable[str] = ()) -> tuple[Declaration, ...]:
        """What the model sees: the mode's own tools in registration order, then those found by search, in that order.

        The order never changes while a run lives, so the prompt's prefix stays cached.
        """
        asked = (mode, tuple(found), tuple(without))
        if asked not in self._declared:
            if len(self._declared) >= DECLARATIONS_KEPT:
                self._declared.clear()
            self._declared[asked] = self._declare(*asked)
        return self._declared[asked]

    def _declare(self, mode: str, found: tuple[str, ...], without: tuple[str, ...]) -> tuple[Declaration, ...]:
        kept_out = set(without)
        first = [one for one in self._all.values() if mode in one.modes and one.name not in kept_out and one.name in self]
        names = {one.name for one in first}
        tail = self._index({*names, *kept_out})
        later = [self._all[name] for name in dict.fromkeys(found) if name not in names | kept_out and name in self]
        return tuple(
            Declaration(
                name=one.name, description=one.description + (tail if one.name == SEARCH else ""), parameters=one.parameters
            )
            for one in [*first, *later]
        )

    def _index(self, without: set[str]) -> str:
        """One line for every tool that is not shown: enough to know that it is there, and to search for it."""
        lines = [f"\n{one.name}: {about(one)[:INDEX_LINE]}" for one in self.listed() if one.name not in without]
        return "\nThere are also:" + "".join(lines) if lines else ""
