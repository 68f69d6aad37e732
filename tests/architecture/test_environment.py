"""What the package reads from its environment can be given to it in the cloud, or is a laptop's own, with the reason why."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from auteryn.policy import cloud

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "shared" / "auteryn"
TABLE = PACKAGE / "policy" / "cloud.py"

NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+_?")
"""How a variable is written."""
OURS = re.compile(r"(?:AUTERYN|CLOUD_RUN|GEMINI|GOOGLE|OTEL)_[A-Z0-9_]+")
"""A variable wherever it is written, also where another module reads it."""
HOLDERS = ("environ", "env")
"""What an environment is called where it is handed on."""

COMPUTED = {
    "auteryn/adapters/gcp/settings.py": "what it needs, and the stand-ins: named there",
    "auteryn/adapters/otel/observer.py": "its endpoints and its content switch, named there",
    "auteryn/cli/dev.py": "what reaches the functions, named there",
    "auteryn/compose/settings.py": "lists with commas, named there",
    "auteryn/testing/emulators/servers.py": "the emulators' hosts, named there",
    "auteryn/tools/search_web.py": "the settings of its providers, which are named there",
    "auteryn/tools/secrets.py": "AUTERYN_CREDENTIAL_… and what else its callers name",
}
"""Where a name is put together or handed in: file, and which names those are."""
OTHERS = {
    "auteryn/tools/sandbox/launch.py": {"RLIMIT_"},
    "auteryn/adapters/gcp/model.py": {"MISSING_THOUGHT_SIGNATURE"},
    "auteryn/adapters/gcp/blobs.py": {"DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"},
}
"""Written like a variable and none of what is read: a prefix of constants, a reason, what is set for a library."""


def known(name: str) -> bool:
    exact = {*cloud.ENVIRONMENT, *cloud.BY_KEY, *cloud.BY_VERTEX, *cloud.ON_REQUEST, *cloud.PLATFORM, *cloud.LAPTOP}
    families = tuple(one for one in (*cloud.SETTINGS, *cloud.SECRETS, "AUTERYN_MODEL_") if one.endswith("_"))
    return name in {*exact, *cloud.SETTINGS, *cloud.SECRETS, cloud.RUN_VARIABLE} or name.startswith(families)


def test_every_variable_that_is_read_is_accounted_for() -> None:
    assert {name: where for name, where in read().items() if not known(name)} == {}


def test_no_variable_is_accounted_for_that_nobody_reads() -> None:
    of_libraries = {"OTEL_", "OTEL_EXPORTER_OTLP_HEADERS", *cloud.PLATFORM}
    listed = {*cloud.ENVIRONMENT, *cloud.BY_KEY, *cloud.BY_VERTEX, *cloud.ON_REQUEST, *cloud.SETTINGS, *cloud.SECRETS}

    assert {*listed, *cloud.LAPTOP} - of_libraries - read().keys() == set()


def test_a_variable_has_one_place() -> None:
    """Only the address of a webhook may be either plain or secret: some are keys themselves."""
    tables = [cloud.ENVIRONMENT, cloud.BY_KEY, cloud.BY_VERTEX, cloud.ON_REQUEST, cloud.SETTINGS, cloud.SECRETS, cloud.LAPTOP]
    names = sorted(name for table in tables for name in table)

    assert {name for name in names if names.count(name) > 1} == {"AUTERYN_PUBLIC_URL", "AUTERYN_WEBHOOK_"}
    assert all(len(reason) > 10 for reason in cloud.LAPTOP.values())


def test_names_are_put_together_only_where_it_is_said_which() -> None:
    assert {where(file) for file in files() if None in keys_of(file)} == set(COMPUTED)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('import os\nx = os.environ["A_B"]', {"A_B"}),
        ('import os\nx = os.getenv("HOME")', {"HOME"}),
        ("import os\nKEY = 'TERM'\nx = os.environ.get(KEY)", {"TERM"}),
        ("import os\nfrom auteryn.tools.needs import SLACK_TOKEN\nx = os.environ[SLACK_TOKEN]", {"SLACK_BOT_TOKEN"}),
        ("def f(env):\n    return 'LANG' in env", {"LANG"}),
        ("import os\ndef f(name):\n    return os.environ.get(name)", {None}),
        ("import os\nos.environ['A_B'] = 'x'", set[str]()),
    ],
)
def test_reads_are_found(code: str, found: set[str | None], tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text(code, encoding="utf-8")

    assert set(keys_of(file)) == found


@pytest.mark.parametrize(("table", "variable"), [(cloud.SETTINGS, "setting_names"), (cloud.SECRETS, "secret_names")])
def test_terraform_lets_the_same_names_in(table: tuple[str, ...], variable: str) -> None:
    written = (ROOT / "infra" / "terraform" / "secrets.tf").read_text(encoding="utf-8")
    block = re.search(rf"{variable} = \[(.*?)\]", written, re.S)

    assert block is not None
    assert re.findall(r'"(\w+)"', block[1]) == list(table)


# ---- what is read -------------------------------------------------------------------------------------------------


@cache
def read() -> dict[str, str]:
    """Name → where: what is looked up in an environment, names of ours, and everything written like a variable in a file that
    has an environment in hand."""
    found = dict[str, str]()
    for file in files():
        names = {key for key in keys_of(file) if key}
        texts = {text for text in literals(file) if NAME.fullmatch(text) and (holds(file) or OURS.fullmatch(text))}
        found |= {name: where(file) for name in (names | texts) - OTHERS.get(where(file), set())}
    return found


def files() -> list[Path]:
    return [file for folder in (PACKAGE, ROOT / "functions") for file in sorted(folder.rglob("*.py")) if file != TABLE]


def where(file: Path) -> str:
    return str(file.relative_to(PACKAGE.parent if file.is_relative_to(PACKAGE) else ROOT))


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def literals(file: Path) -> Iterator[str]:
    return (one.value for one in ast.walk(tree(file)) if isinstance(one, ast.Constant) and isinstance(one.value, str))


def holds(file: Path) -> bool:
    """Whether a whole environment is in its hands, or it looks something up that is named elsewhere."""
    whole = any(isinstance(one, ast.Attribute) and one.attr in ("environ", "getenv") for one in ast.walk(tree(file)))
    return whole or None in keys_of(file)


def keys_of(file: Path) -> Iterator[str | None]:
    """What is looked up in an environment; None where the name is written neither there nor where it is imported from."""
    constants = dict(_imported(file)) | dict(_constants(file))
    for one in ast.walk(tree(file)):
        match one:
            case ast.Subscript(value=held, slice=key, ctx=ast.Load()) if _is_environment(held):
                yield from _named(key, constants)
            case ast.Call(func=ast.Attribute(value=held, attr="get" | "pop"), args=[key, *_]) if _is_environment(held):
                yield from _named(key, constants)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="getenv"), args=[key, *_]):
                yield from _named(key, constants)
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[held]) if _is_environment(held):
                yield from _named(key, constants)
            case _:
                pass


def _imported(file: Path) -> Iterator[tuple[str, str]]:
    """Constants of other files of the package."""
    for one in tree(file).body:
        if isinstance(one, ast.ImportFrom) and one.module and one.module.startswith("auteryn."):
            source = PACKAGE.parent.joinpath(*one.module.split(".")).with_suffix(".py")
            names = {name.name for name in one.names}
            yield from (pair for pair in (_constants(source) if source.exists() else ()) if pair[0] in names)


def _constants(file: Path) -> Iterator[tuple[str, str]]:
    """`A = "a"` and `A, B = "a", "b"` on top of a file."""
    for one in tree(file).body:
        match one:
            case ast.Assign(targets=targets, value=ast.Constant(value=str(text))):
                yield from ((name.id, text) for name in targets if isinstance(name, ast.Name))
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                yield from (
                    (name.id, value.value)
                    for name, value in zip(names, values, strict=True)
                    if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str)
                )
            case _:
                pass


def _is_environment(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr="environ"):
            return True
        case ast.Name(id=name):
            return name in HOLDERS
        case _:
            return False


def _named(key: ast.expr, constants: dict[str, str]) -> Iterator[str | None]:
    match key:
        case ast.Constant(value=str(name)):
            yield name
        case ast.Name(id=name) if name in constants:
            yield constants[name]
        case ast.IfExp(body=one, orelse=other):
            yield from _named(one, constants)
            yield from _named(other, constants)
        case _:
            yield None
