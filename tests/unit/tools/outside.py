"""How a judge calls the tools: the outside programs that play Gemini fit their arguments to our schemas."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from auteryn.tools.signature import arguments
from auteryn.tools.tool import Tool
from shared_data import shared


def program(name: str) -> Any:
    """The outside program `name` (`rules`, `scenario`)."""
    sys.path.insert(0, str(shared("checks/gemini_strict")))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


def as_a_judge_calls(tool: Tool, **wanted: Any) -> dict[str, Any]:
    """The arguments a judge sends, after its strict reading of the schema; they must pass ours as well."""
    rules, scenario = program("rules"), program("scenario")
    for openapi in (False, True):
        if not (openapi and "additionalProperties" in str(tool.parameters)):
            rules.check_schema(tool.parameters, tool.name, None, openapi)
    fitted = scenario.fit(tool.parameters, wanted, tool.parameters)
    assert scenario.invalid(tool.parameters, fitted, tool.parameters) is None
    arguments(tool, fitted)
    return fitted
