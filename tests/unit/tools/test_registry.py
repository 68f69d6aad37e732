"""The built-in tools as a whole: every one is declared as the model and the engine need it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from auteryn.errors import Invalid, ToolFailed
from auteryn.policy.modes import DEEP, FAST
from auteryn.tools import catalogue
from auteryn.tools.builtin import builtin_tools
from auteryn.tools.registry import Registry
from auteryn.tools.signature import shape_of
from auteryn.tools.table import put
from auteryn.tools.tool import Tool, tool
from shared_data import shared

TOOLS = builtin_tools()
ONCE = ("python_run", "shell_run", "email_send", "browser_click", "browser_fill")
"""What the other side cannot be asked about, and takes no key for."""


@pytest.fixture(scope="module")
def rules() -> Any:
    sys.path.insert(0, str(shared("checks/gemini_strict")))
    try:
        import rules
    finally:
        sys.path.pop(0)
    return rules


@pytest.fixture(params=TOOLS, ids=lambda one: one.name)
def one(request: pytest.FixtureRequest) -> Tool:
    return request.param


def test_the_schema_is_one_that_gemini_takes(one: Tool, rules: Any) -> None:
    rules.check_schema(one.parameters, one.name)
    assert not {"$ref", "$defs", "title", "oneOf", "const"} & keywords(one.parameters)


def keywords(node: dict[str, Any]) -> set[str]:
    """Every word of JSON Schema in it; the parameters' own names are none."""
    below = [*node.get("properties", {}).values(), *node.get("anyOf", []), *node.get("prefixItems", [])]
    below += [node[key] for key in ("items", "additionalProperties") if key in node]
    return set(node).union(*map(keywords, below))


def test_every_parameter_is_described(one: Tool) -> None:
    for name, part in one.parameters["properties"].items():
        assert (part["anyOf"][0] if "anyOf" in part else part).get("description"), f"{one.name}.{name} has no description"


def test_the_description_begins_with_a_short_sentence(one: Tool) -> None:
    assert one.description[0].isupper() and len(one.description) < 600


def test_effects_and_names_are_in_order(one: Tool) -> None:
    assert one.effect in ("read", "idempotent", "keyed") or one.name in ONCE
    assert one.name == one.name.lower() and one.fn.__module__.startswith("auteryn.tools.")
    assert one.takes_context and one.timeout.total_seconds() <= 600
    assert inspect.signature(one.fn).parameters


def test_the_catalogue_in_the_package_is_current() -> None:
    """Else run `python -m auteryn.tools.catalogue`."""
    assert catalogue.FILE.read_bytes() == catalogue.built()
    assert all(catalogue.shipped(one.fn) for one in TOOLS)
    assert [one.tool() for one in catalogue.listed()] == TOOLS


def test_a_changed_signature_passes_the_shipped_schema_over(monkeypatch: pytest.MonkeyPatch) -> None:
    fn = TOOLS[0].fn
    assert catalogue.shipped(fn)
    monkeypatch.setattr(fn, "__defaults__", (7, 7))
    assert catalogue.shipped(fn) is None


def test_the_shipped_schema_is_what_the_signature_says(one: Tool) -> None:
    shape = shape_of(one.fn)
    assert (one.parameters, one.takes_context) == (shape.schema, shape.takes_context)


def test_a_mode_shows_no_more_than_it_may_and_in_one_order() -> None:
    registry = Registry(TOOLS)
    deep = [one.name for one in registry.declared("deep")]
    fast = [one.name for one in registry.declared("fast")]
    assert len(deep) <= DEEP.tools_shown and len(fast) <= FAST.tools_shown
    assert deep == snapshot(
        [
            "file_read",
            "file_write",
            "file_edit",
            "file_find",
            "file_grep",
            "web_fetch",
            "note_write",
            "note_read",
            "plan_create",
            "plan_update",
            "ask_approval",
            "ask_input",
            "notify",
            "wait",
            "python_run",
            "schedule",
            "artifact_publish",
            "calculate",
            "tool_search",
        ]
    )
    assert fast == snapshot(
        [
            "file_read",
            "web_fetch",
            "note_write",
            "ask_input",
            "notify",
            "calculate",
            "tool_search",
            "memory_search",
            "json_query",
            "go_deep",
        ]
    )


@pytest.mark.parametrize("name", ["default_api.data_query", "default_api:data_query", "Data_Query", "dataQuery", "data-query"])
def test_a_name_in_another_dress_is_told_as_it_is_called(name: str) -> None:
    with pytest.raises(ToolFailed, match=f"there is no tool '{name}'; call it 'data_query'"):
        Registry(builtin_tools()).get(name)


def test_what_is_found_comes_last_so_that_the_prefix_stays_cached() -> None:
    registry = Registry(TOOLS)
    before = registry.declared("deep")
    after = registry.declared("deep", ["archive", "file_move", "archive", "none", "file_read"])
    assert after[: len(before)] == before
    assert [one.name for one in after[len(before) :]] == ["archive", "file_move"]
    assert "wait" not in [one.name for one in registry.declared("deep", ["wait"], without=["wait"])]


def test_a_tool_that_cannot_work_is_hidden_with_its_reason() -> None:
    @tool(missing=lambda: "it needs a key")
    async def paid(x: int) -> int:
        """Costs."""
        return x

    registry = Registry([paid])
    assert "paid" not in registry and registry.hidden == {"paid": "it needs a key"}
    with pytest.raises(ToolFailed, match="it needs a key"):
        registry.get("paid")
    with pytest.raises(ToolFailed, match="tool_search"):
        registry.get("nothing")
    with pytest.raises(Invalid, match="is the name of another tool"):
        registry.add(paid)


def test_importing_the_tools_loads_nothing_heavy() -> None:
    heavy = (
        "pydantic re2 simpleeval jmespath duckdb openpyxl xlsxwriter vl_convert python_calamine google.genai tarfile sqlite3 "
        "httpx2 httpcore2 trafilatura selectolax feedparser protego markdown_it"
    )
    code = f"import sys, auteryn.tools.builtin; print([name for name in {heavy.split()} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_table_in_the_readme_is_current() -> None:
    """Else run `python -m auteryn.tools.table README.md`."""
    text = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
    assert text == put(text) and all(f"| `{one.name}` |" in text for one in TOOLS)
    assert sum(line.startswith("|") and line.endswith("|") for line in put("").splitlines()) == len(TOOLS) + 2


def test_the_first_tools_are_brought_when_somebody_asks_and_come_first() -> None:
    @tool(effect="read")
    async def own(ctx: Any) -> None:
        """One of the user's."""

    brought = list[int]()

    def bring() -> list[Tool]:
        brought.append(1)
        if len(brought) == 1:
            raise OSError("the disk is away")
        return TOOLS

    registry = Registry(first=bring)
    assert not brought
    with pytest.raises(OSError):
        _ = "file_read" in registry
    assert "file_read" in registry
    with pytest.raises(Invalid, match="name of another tool"):
        registry.add(next(one for one in TOOLS if one.name == "file_read"))
    registry.add(own)
    assert [*registry][-1] is own and len(brought) == 2
