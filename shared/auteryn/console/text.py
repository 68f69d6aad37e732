"""A run as a page of plain text: for a terminal, a screen reader without scripts, a very old phone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from textwrap import indent, wrap

from auteryn.policy.shown import exact_json, unturned
from auteryn.schema.human import Ask
from auteryn.schema.run import Artifact, Run
from auteryn.service.logs import LogLine
from auteryn.service.progress import metrics, standing

WIDTH = 100


def list_text(runs: Sequence[Run], now: datetime) -> str:
    """One line a run, newest first."""
    if not runs:
        return "No runs yet.\n"
    return "".join(f"{_line(run, now)}\n" for run in runs)


def run_text(run: Run, lines: Iterable[LogLine], now: datetime) -> str:
    """Where it stands, what it asks, its plan, what it made, what it came to, and its newest log lines."""
    where = standing(run, now)
    parts = [
        f"{run.title}\n{'=' * min(len(run.title), WIDTH)}\n{where.status}: {where.detail}\n{where.why}",
        *(_section("Asks you", _ask(ask)) for ask in run.asks),
        _section("Plan", "\n".join(_step(*one) for one in _steps(run))),
        _section("Result", run.result or ""),
        _section("Deliverables", "\n".join(f"{'ok ' if v.ok else 'NOT'} {v.deliverable} {v.detail}" for v in run.verdicts)),
        _section("Files", "\n".join(_file(run, artifact) for artifact in run.artifacts)),
        _section("Figures", "\n".join(f"{name}: {value}" for name, value in metrics(run, run.usage, now).items())),
        _section("Log", "\n".join(map(str, lines))),
    ]
    return unturned("\n\n".join(filter(None, parts)) + "\n")


def _line(run: Run, now: datetime) -> str:
    where = standing(run, now)
    need = f"  {len(run.asks)} to answer" if run.asks else ""
    return f"{where.status:<9} {run.mode:<4} {where.detail:<34} {unturned(run.title)}{need}  /runs/{run.id}.txt"


def _section(title: str, body: str) -> str:
    return f"{title}\n{'-' * len(title)}\n{body}" if body else ""


def _ask(ask: Ask) -> str:
    options = f"\nOptions: {', '.join(ask.options)}" if ask.options else ""
    subject = f"\n{ask.subject.tool} with exactly:\n{exact_json(ask.subject.args)}" if ask.subject else ""
    return f"{ask.message}{subject}{options}\nAnswer: POST /v1/asks/{ask.id}/answer, or: auteryn answer {ask.run} …"


def _file(run: Run, artifact: Artifact) -> str:
    return f"{artifact.title}: /v1/runs/{run.id}/artifacts/{artifact.id} ({artifact.size_bytes:,} bytes)"


def _steps(run: Run) -> list[tuple[str, str, str]]:
    steps = run.plan.steps if run.plan else ()
    return [(f"{step.id}. [{step.status}]", step.description, step.result or step.error or "") for step in steps]


def _step(head: str, description: str, result: str) -> str:
    text = "\n".join(wrap(f"{head} {description}", WIDTH))
    return f"{text}\n{indent(result, '    ')}" if result else text
