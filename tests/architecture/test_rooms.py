"""Conventions that a newcomer relies on, kept by the machine."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "shared" / "auteryn"
PORT_WORDS = ("store", "queue", "bus", "jobs", "blobs")


@pytest.mark.parametrize("word", PORT_WORDS)
def test_a_port_word_names_the_port_its_adapter_and_its_conformance_suite(word: str) -> None:
    assert (PACKAGE / "ports" / f"{word}.py").exists()
    assert (PACKAGE / "adapters" / "embedded" / f"{word}.py").exists()
    assert (ROOT / "tests" / "conformance" / f"test_{word}.py").exists()


def test_the_top_level_is_the_customers() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    top = {name.split("/")[0] for name in listed if not name.startswith(".")}
    allowed = {"README.md", "functions", "infra", "shared", "tests", "cloudbuild.yaml", "pyproject.toml", "LICENSE"}
    assert top <= allowed


def test_every_module_says_why_it_exists() -> None:
    silent = [
        str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.py") if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_the_heart_stays_short_enough_to_recite() -> None:
    for name, most in (("agent/loop.py", 80), ("plan/scheduler.py", 140), ("runtime/slice.py", 360), ("runtime/due.py", 90)):
        lines = (PACKAGE / name).read_text().splitlines()
        assert len(lines) <= most, f"{name} has {len(lines)} lines"


@pytest.mark.parametrize(
    ("imported", "never"),
    [
        ("auteryn", ("msgspec", "sqlite3", "google.genai", "pydantic", "asyncio")),
        (
            "auteryn.compose",
            ("google.genai", "google.cloud.firestore_v1", "pydantic", "duckdb", "xlsxwriter", "click", "httpx2"),
        ),
        ("auteryn.tools.builtin", ("google.genai", "pydantic", "duckdb", "xlsxwriter", "python_calamine", "vl_convert")),
        ("auteryn.cli.root", ("sqlite3", "google.genai", "msgspec", "auteryn.runtime")),
    ],
)
def test_importing_loads_nothing_heavy(imported: str, never: tuple[str, ...]) -> None:
    probe = f"import sys, {imported}; print([m for m in {never!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
