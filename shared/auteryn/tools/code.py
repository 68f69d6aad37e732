"""Looking over code: lint with ruff, tests with pytest or the project's command. All of it in the sandbox: a project's settings
and tests are programs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.tools.needs import no_code
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.walled import MOST_SECONDS, text, walled

MOST_FINDINGS = 100
MOST_FAILURES = 30
_MESSAGE = 1_500
_REPORT_BYTES = 16 << 20
_PYTEST = 'exec python -m pytest -v -p no:cacheprovider --junitxml="$JUNIT" "$@"'
_REPORTED = 'export JUNIT="$TMPDIR/junit.xml"; sh -c "$0" sh "$@" >&2; code=$?; [ ! -e "$JUNIT" ] || cat "$JUNIT"; exit $code'
"""The report goes to stdout and everything else to stderr: tests may print what they like."""


@tool(
    reads_files=True,
    effect="idempotent",
    group="code",
    timeout=timedelta(seconds=150),
    serial=lambda args: str(args["path"]),
    missing=no_code,
)
async def code_check(
    ctx: ToolContext,
    path: Annotated[str, "Python file or folder"],
    fix: Annotated[bool, "Repair what can be repaired safely"] = False,
) -> dict[str, Any]:
    """Find mistakes in Python code with ruff, by the project's own settings if it has some."""
    at = ctx.files.stat(path)
    if not at.folder and not at.path.endswith((".py", ".pyi", ".ipynb")):
        raise ToolFailed("unsupported", f"path: {path!r} is no Python code")
    argv = ["python", "-m", "ruff", "check", "--no-cache", "--exit-zero", "--output-format=json", *(["--fix"] if fix else [])]
    ran = await walled(ctx, [*argv, "--", f"./{at.path}"], seconds=120, output_bytes=_REPORT_BYTES)
    try:
        found = msgspec.json.decode(ran.stdout, type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise ToolFailed("invalid", f"ruff cannot check {path!r}: {text(ran.stderr).strip()[-_MESSAGE:]}") from error
    if not found and b"No Python files found" in ran.stderr:
        raise ToolFailed("unsupported", f"path: there is no Python code in {path!r}")
    told: dict[str, Any] = {"total": len(found), "findings": [_finding(one) for one in found[:MOST_FINDINGS]]}
    return told | ({"cut": f"only the first {MOST_FINDINGS} are shown"} if len(found) > MOST_FINDINGS else {})


def _finding(one: dict[str, Any]) -> dict[str, Any]:
    place = one["location"]
    where = f"{one['filename'].partition('/workspace/')[2] or one['filename']}:{place['row']}:{place['column']}"
    return {"where": where, "code": one["code"] or "syntax", "message": one["message"], "fixable": one["fix"] is not None}


@tool(
    effect="idempotent",
    group="code",
    cost=2_000,
    timeout=timedelta(seconds=MOST_SECONDS + 30),
    serial=lambda args: str(args["path"]),
    reads_files=True,
    missing=no_code,
)
async def code_test(
    ctx: ToolContext,
    path: Annotated[str, "Folder of the project, where the tests start"] = "",
    select: Annotated[
        list[str],
        'Files, folders or names such as `tests/test_a.py::test_b`; else all. A command gets them as "$@"',
        Meta(max_length=100),
    ] = [],  # noqa: B006 - never changed
    command: Annotated[
        str, "The project's own command, run by sh -c; a JUnit report it writes to $JUNIT is counted. Else pytest"
    ] = "",
    timeout: Annotated[int, "Seconds for all tests together", Meta(ge=1, le=MOST_SECONDS)] = 300,
) -> dict[str, Any]:
    """Run a project's tests, with pytest or its own command: how many passed, and what failed with its reason."""
    for one in select:
        if one.startswith("-"):
            raise ToolFailed("invalid", f"select: {one!r} must be a file, a folder or the name of a test")
    argv = ["sh", "-c", _REPORTED, command or _PYTEST, *select]
    ran = await walled(ctx, argv, seconds=timeout, cwd=path, env={"PYTHONPATH": "."}, output_bytes=_REPORT_BYTES)
    tail = text(ran.stderr).strip()[-_MESSAGE:]
    cases = list(_cases(ran.stdout))
    if command:
        return (_counted(cases) if cases else {}) | {"exit_code": ran.exit_code, "output": tail}
    if ran.exit_code == 5:
        raise ToolFailed("not_found", f"no tests were found in {path or '.'!r}")
    if ran.exit_code == 4:
        raise ToolFailed("invalid", f"pytest does not take this: {tail}")
    if not cases:
        crashed = f"the tests ended with exit code {ran.exit_code} and left no report: something ended the process"
        return {"passed": 0, "failed": 0, "errors": 0, "skipped": 0, "crashed": crashed, "output": tail}
    return _counted(cases)


def _counted(cases: list[dict[str, Any]]) -> dict[str, Any]:
    told = {kind: sum(case["outcome"] == kind for case in cases) for kind in ("passed", "failed", "errors", "skipped")}
    bad = [case for case in cases if case["outcome"] in ("failed", "errors")]
    return told | {"failures": bad[:MOST_FAILURES]} | ({"cut": len(bad)} if len(bad) > MOST_FAILURES else {})


def _cases(report: bytes) -> Iterator[dict[str, Any]]:
    """The tests of a JUnit report; none if there is no whole one. A report is text of others: no entities are read."""
    if b"<!DOCTYPE" in report or b"<!ENTITY" in report:
        return
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(report)
    except ElementTree.ParseError:
        return
    for case in root.iter("testcase"):
        name = "::".join(filter(None, (case.get("classname", ""), case.get("name", ""))))
        kinds = {"failure": "failed", "error": "errors", "skipped": "skipped"}
        found = next(((kinds[part.tag], part) for part in case if part.tag in kinds), None)
        if found is None:
            yield {"outcome": "passed", "test": name}
        else:
            why = "\n".join(filter(None, (found[1].get("message", ""), found[1].text or "")))
            yield {"outcome": found[0], "test": name, "why": why[:_MESSAGE]}
