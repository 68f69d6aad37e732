"""The table of all tools in the README, made from the tools themselves.

`python -m auteryn.tools.table README.md` puts it between the file's two marks; a test says when it must be.
"""

from __future__ import annotations

import sys
from pathlib import Path

from auteryn.tools.builtin import builtin_tools
from auteryn.tools.search import about
from auteryn.tools.tool import Tool

BEGIN, END = "<!-- tools -->", "<!-- /tools -->"
_ASKS = {"auto": "", "ask": "every time", "ask1": "once a target"}


def table() -> str:
    """One row a tool, by group."""
    tools = sorted(builtin_tools(), key=lambda one: (one.group, one.name))
    rows = [f"| {one.group} | `{one.name}` | {about(one)} | {one.effect} | {_asks(one)} |" for one in tools]
    head = [f"{len(rows)} tools are built in:", "", "| group | tool | | effect | asks a person |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def _asks(tool: Tool) -> str:
    return "depends on the call" if tool.decide or tool.judge else _ASKS[tool.permission]


def put(text: str) -> str:
    """The text with the table between its marks as it is now."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(put(file.read_text(encoding="utf-8")), encoding="utf-8")
