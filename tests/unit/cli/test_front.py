"""The front of the command line: help, usage, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from auteryn.cli import exits
from auteryn.cli.home import program
from auteryn.cli.root import HIDDEN, SECTIONS, cli
from auteryn.errors import AuterynError, Exhausted, Invalid, NotFound, RateLimited, RunCancelled, RunFailed

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = [name for section in SECTIONS.values() for name in section]


def test_help_loads_neither_database_nor_model_nor_engine() -> None:
    """Its speed is measured in `tests/bench`; this is the reason for it."""
    code = (
        "import sys\nfrom auteryn.cli.root import run\ncode = run(['--help'])\n"
        "heavy = ('sqlite3', 'google.genai', 'google.auth', 'google.api_core', 'pydantic', 'duckdb', 'asyncio')\n"
        "ours = ('auteryn.runtime', 'auteryn.service', 'auteryn.compose', 'auteryn.client', 'auteryn.tools')\n"
        "print([name for name in sys.modules if name.startswith((*heavy, *ours))], code, file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[] 0"
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", [*COMMANDS, *HIDDEN])
def test_every_command_explains_itself(auteryn, name: str) -> None:
    done = auteryn(name, "--help")

    assert done.code == 0
    assert done.out.startswith(f"Usage: auteryn {name}")
    assert len(cli.get_command(cli.make_context("auteryn", [], resilient_parsing=True), name).help.splitlines()[0]) > 20


NAMED = re.compile(r"\bauteryn ((?:[a-z]+ )+)([^`\n\"·;]*?--[^`\n\"·;]*)")


def test_every_option_we_tell_people_to_type_exists() -> None:
    """In messages, help and documents: `auteryn result RUN --wait`."""
    files = [ROOT / "README.md", *(ROOT / "shared").rglob("*.py"), *(ROOT / "shared").rglob("*.md")]
    told = [found for file in files for found in NAMED.findall(file.read_text())]
    assert told
    for words, rest in told:
        command: click.Command = cli
        for word in words.split():
            if isinstance(command, click.Group):
                command = command.get_command(click.Context(command), word) or pytest.fail(f"there is no `auteryn {words}`")
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= known, f"auteryn {words}{rest}"


def test_without_a_command_there_is_help(auteryn) -> None:
    done = auteryn()

    assert (done.code, done.err) == (0, "")
    assert "Usage: auteryn" in done.out


def test_a_mistyped_command_is_guessed(auteryn) -> None:
    done = auteryn("statsu")

    assert done.code == 2
    assert "did you mean `auteryn status`?" in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid("mode", "x", "is none"), 2),
        (NotFound("no run"), 2),
        (RateLimited("later"), 1),
        (RunFailed("stuck", "it failed"), 1),
        (RunCancelled("cancelled", "stopped"), 4),
        (RunFailed("credit_limit", "used up"), 5),
        (RunFailed("llm_call_limit", "used up"), 5),
        (Exhausted("credit_limit", "used up"), 5),
        (Exhausted("deadline", "too late"), 1),
    ],
)
def test_the_exit_code_says_what_went_wrong(error: AuterynError, code: int) -> None:
    assert exits.of_error(error) == code


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [("completed", None, 0), ("failed", "stuck", 1), ("cancelled", None, 4), ("failed", "llm_call_limit", 5)],
)
def test_the_exit_code_says_how_a_run_ended(status: str, reason: str | None, code: int) -> None:
    assert exits.of_run(status, reason) == code


@pytest.mark.parametrize("place", ["before", "after"])
def test_common_options_count_wherever_they_stand(auteryn, tmp_path, place: str) -> None:
    options = ["--home", str(tmp_path / "other"), "--json"]

    done = auteryn(*options, "doctor") if place == "before" else auteryn("doctor", *options)

    found = {one["name"]: one for one in map(json.loads, done.out.splitlines())}
    assert str(tmp_path / "other") in found["home"]["detail"]


@pytest.mark.parametrize(("on_the_path", "shown"), [(True, "auteryn"), (False, ".venv/bin/auteryn")])
def test_commands_are_shown_as_this_shell_can_call_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_the_path: bool, shown: str
) -> None:
    script = tmp_path / ".venv/bin/auteryn"
    script.parent.mkdir(parents=True)
    script.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(script.parent) if on_the_path else str(tmp_path))
    monkeypatch.setattr("sys.argv", [str(script) if on_the_path else ".venv/bin/auteryn"])
    assert program() == shown
