"""What a process loads before its first model call; the time it takes is measured in `tests/bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from auteryn.tools.catalogue import listed

HEAVY = ["bz2", "ctypes", "email", "google.genai", "httpx2", "importlib.metadata", "pydantic", "starlette", "zipfile"]
OF_FEW_TOOLS = [
    "html.entities",
    "smtplib",
    "xml.etree.ElementTree",
    "zoneinfo",
    "google.genai",
    "httpx2",
    "pydantic",
    "duckdb",
    "PIL",
]
"""What only some tools want, and only when they are called."""


def loaded(names: list[str], lines: str) -> list[str]:
    """Which of these modules a new process has loaded after these lines."""
    program = f"import sys\n{lines}\nprint(*[name for name in {names} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(("works", "wanted"), [(False, []), (True, ["bz2"])], ids=["looks", "works"])
def test_a_home_is_opened_without_what_only_some_runs_want(tmp_path: Path, works: bool, wanted: list[str]) -> None:
    """Whoever works looks for a sandbox meanwhile, in temporary folders: `shutil` has compression with it."""
    opened = (
        "import asyncio\nfrom pathlib import Path\nfrom auteryn import compose\n"
        "async def main():\n"
        f"    host = compose.embedded(compose.Settings(home=Path({str(tmp_path)!r})), works={works})\n"
        "    await host.start()\n    await host.close()\n"
        "asyncio.run(main())"
    )
    assert loaded([*HEAVY, "auteryn.tools.builtin"], opened) == wanted


def test_the_model_is_shown_tools_none_of_which_is_imported() -> None:
    modules = sorted({f"auteryn.tools.{one.module}" for one in listed()})
    composed = "from auteryn.compose import registry_of\n"
    shown = f"{composed}registry = registry_of()\nassert len(registry.declared('deep')) > 10 and len(registry) > 40\n"
    called = [*loaded(modules, composed), "auteryn.tools.calculate"]
    assert loaded(modules, shown) == called[:-1]
    assert sorted(loaded(modules, f"{shown}registry.get('calculate')")) == sorted(called)


def test_the_built_in_tools_are_known_without_what_only_some_calls_want() -> None:
    assert loaded(OF_FEW_TOOLS, "from auteryn.tools.builtin import builtin_tools\nbuiltin_tools()") == []
