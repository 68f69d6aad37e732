"""The one image: pinned, compiled, without root, without a secret, and holding what the three commands start."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from auteryn.policy import cloud

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "functions" / "Dockerfile").read_text(encoding="utf-8")
LINES = [line for line in re.sub(r"\\\n", " ", TEXT).splitlines() if line and not line.startswith("#")]
LAST = LINES[max(number for number, line in enumerate(LINES) if line.startswith("FROM")) :]


STARTED = {word.removeprefix("--source=") for command in cloud.COMMANDS.values() for word in command if word.endswith(".py")}


def test_it_holds_what_the_commands_start() -> None:
    copied = {line.split()[1] for line in LINES if line.startswith("COPY functions/") and "constraints" not in line}

    assert {f"/app/{folder}/main.py" for folder in copied} == STARTED
    assert "COPY --from=built /app/functions /app/functions" in LAST


def test_what_the_commands_start_is_in_the_repository() -> None:
    assert [path for path in sorted(STARTED) if not (ROOT / path.removeprefix("/app/")).exists()] == []


def test_it_starts_the_api_unless_told_otherwise() -> None:
    assert json.loads(LAST[-1].removeprefix("CMD ")) == list(cloud.COMMANDS["api"])


def test_versions_are_those_of_the_constraints() -> None:
    installs = [line for line in LINES if "pip install" in line]

    assert len(installs) == 1
    assert "--constraint functions/constraints.txt" in installs[0]
    bases = {line.split()[1] for line in LINES if line.startswith("FROM")}
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert bases == {"python:3.12-slim"}
    assert needs == ">=3.11"


def test_bytecode_is_compiled_where_it_can_still_be_written() -> None:
    compiled = next(number for number, line in enumerate(LINES) if "compileall" in line)

    assert "unchecked-hash" in LINES[compiled]
    assert compiled < LINES.index(LAST[0])


def test_it_does_not_run_as_root() -> None:
    users = [line.split()[1] for line in LAST if line.startswith("USER")]

    assert users
    assert users[-1] not in ("0", "root")


def test_it_is_slim_by_default_and_full_on_request() -> None:
    assert 'ARG EXTRAS=""' in LINES
    assert any('".${EXTRAS}"' in line for line in LINES)


def test_nothing_secret_gets_in() -> None:
    assert not any(re.match(r"(ARG|ENV)\b.*(KEY|SECRET|TOKEN|PASSWORD|CREDENTIALS)", line) for line in LINES)
    assert not any(re.match(r"(COPY|ADD) \.", line) for line in LINES), "only what is named is copied"
    ignored = (ROOT / "functions" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert "**/.*" in ignored
