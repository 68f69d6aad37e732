"""The outside checks' programs, loaded from where they lie."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from types import ModuleType

from shared_data import shared


@cache
def programs(folder: str, *names: str) -> tuple[ModuleType, ...]:
    """The modules of one check, each after those it imports by bare name; nothing stays in `sys.modules`."""
    loaded: list[ModuleType] = []
    for name in names:
        spec = importlib.util.spec_from_file_location(name, shared(f"checks/{folder}") / f"{name}.py")
        assert spec and spec.loader
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        loaded.append(module)
    for name in names:
        del sys.modules[name]
    return tuple(loaded)
