"""A tool counts when its five tests exist; more than fifty do with all extras and no credential but the model's."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from auteryn.tools.builtin import builtin_tools
from auteryn.tools.registry import Registry

TESTS = Path(__file__).resolve().parents[1]
WRITTEN = ("happy", "failure")
"""Tests written by hand in the tool's family; the other three are asked of all tools at once by `test_every_tool.py`."""
MINIMUM = 50


@cache
def _marks() -> frozenset[tuple[str, str]]:
    """(tool, kind) of every `@pytest.mark.tool` in the tests."""
    found = set[tuple[str, str]]()
    for path in TESTS.rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if "mark.tool(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func).endswith("mark.tool")
            ):
                name, kind = (ast.literal_eval(argument) for argument in node.args)
                found.add((name, kind))
    return frozenset(found)


@cache
def _samples() -> frozenset[str]:
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (TESTS / "unit" / "tools" / "samples").glob("*.py"))
    nodes = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return frozenset(node.name for node in nodes if any(ast.unparse(one) == "sample" for one in node.decorator_list))


@pytest.mark.parametrize("name", sorted(one.name for one in builtin_tools()))
def test_every_tool_has_its_five_tests(name: str) -> None:
    missing = [kind for kind in WRITTEN if (name, kind) not in _marks()]
    assert not missing, f"{name}: no test is marked @pytest.mark.tool({name!r}, {missing[0]!r})"
    assert name in _samples(), f"{name}: tests/unit/tools/samples has no sample of it"


def test_marks_and_samples_name_tools_that_exist() -> None:
    known = {one.name for one in builtin_tools()}
    assert {name for name, _ in _marks()} <= known and {kind for _, kind in _marks()} <= set(WRITTEN)
    assert _samples() <= known


@pytest.mark.proves("P68")
def test_more_than_fifty_tools_are_seen_without_any_credential_but_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLACK_BOT_TOKEN", "AUTERYN_SMTP_URL", "AUTERYN_SEARXNG_URL", "BRAVE_API_KEY", "TAVILY_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-that-is-never-used")
    seen = Registry(builtin_tools())
    assert len(seen) >= MINIMUM, f"{len(seen)} tools are visible; hidden: {seen.hidden}"
