"""The demo's model. It is a script, and it is honest: every figure it writes, it has read in a result of this run.

What it says follows from the conversation alone, so that any process can play it, also the one that goes on after a kill.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from auteryn.demo.counts import COUNTERS, FILE
from auteryn.ports.model import ModelRequest, Role, Spend
from auteryn.schema.message import Call, Delta, Reply
from auteryn.testing.scripted import Ask, Say, ScriptedModel, call

TASK = (
    "Compare the three bicycle counters of Ostermoor. Read the town's page about each, leave out the days on which the counter "
    f"was out of order, and work out from {FILE.name} how many riders each has and what its change brought. "
    "Make a workbook with a chart and a summary, and ask me before you publish."
)
WORKBOOK, CHART, SUMMARY = "ostermoor.xlsx", "ostermoor.png", "summary.md"
PUBLISH, KEEP = "Publish", "Keep as a draft"
NOTES = "figures"
PACE = timedelta(milliseconds=350)
"""How long the script thinks. A real model takes seconds; with none at all there would be nothing to watch."""

_SQL = """\
SELECT count(*) FILTER (ok) AS days, round(avg(riders) FILTER (ok))::INT AS riders_a_day,
  round(avg(riders) FILTER (ok AND date >= DATE '{changed}' - 28 AND date < DATE '{changed}'))::INT AS before,
  round(avg(riders) FILTER (ok AND date >= DATE '{changed}' AND date < DATE '{changed}' + 28))::INT AS after,
  round(avg(riders) FILTER (ok AND rain_mm < 1))::INT AS dry, round(avg(riders) FILTER (ok AND rain_mm >= 1))::INT AS wet
FROM (SELECT *, date NOT BETWEEN DATE '{broken_from}' AND DATE '{broken_to}' AS ok FROM counts WHERE counter = '{counter}')"""
_MONTHS = """\
SELECT strftime(date, '%Y-%m') AS month, counter, sum(riders)::INT AS riders FROM counts GROUP BY ALL ORDER BY month, counter"""


def model() -> DemoModel:
    return DemoModel()


class DemoModel:
    """`ports.model.Model`: the script, at a pace the eye can follow."""

    def __init__(self) -> None:
        self._scripted = ScriptedModel(script, model="scripted-demo")

    searches = False

    async def generate(
        self,
        request: ModelRequest,
        *,
        on_delta: Callable[[Delta], None] | None = None,
        spend: Spend | None = None,
    ) -> Reply:
        await asyncio.sleep(PACE.total_seconds())
        return await self._scripted.generate(request, on_delta=on_delta, spend=spend)

    def model_id(self, role: Role) -> str:
        return self._scripted.model_id(role)

    async def close(self) -> None:
        await self._scripted.close()


def script(ask: Ask) -> Say:
    """The next line, whoever is asked: a step's agent, or the one that planned."""
    if found := re.search(r"Read (\S+\.html) and work out .* how many riders (.+?) has", ask.task):
        return _counter(ask, page=found[1], counter=found[2])
    if f"Make {WORKBOOK}" in ask.task:
        return _workbook(ask)
    if f"Write {SUMMARY}" in ask.task:
        return _summary(ask)
    return _planner(ask)


# ---- the planner ---------------------------------------------------------------------------------------------


def _planner(ask: Ask) -> Say:
    plan, asked, published = _last(ask, "plan_create"), _last(ask, "ask_approval"), ask.results.get("artifact_publish")
    if plan is None:
        return Say(
            thoughts="Three counters, three pages: they can be read side by side. Workbook and summary need all three.",
            calls=(call("plan_create", goal="How the three counters compare, and what each change brought", steps=_steps()),),
        )
    results = {step["id"]: step for step in plan["steps"]}
    if asked is None:
        return Say(
            thoughts="The files are there. Publishing is not mine to decide.",
            calls=(call("ask_approval", message=_question(results), options=[PUBLISH, KEEP]),),
        )
    if asked.get("answer") != PUBLISH:
        return Say(text=f"{_report(results)}\n\nNothing was published; {WORKBOOK}, {CHART} and {SUMMARY} stay drafts.")
    if not published:
        return Say(
            calls=(
                call("artifact_publish", path=SUMMARY, title="Summary"),
                call("artifact_publish", path=WORKBOOK, title="Workbook with table and chart"),
                call("artifact_publish", path=CHART, title="Chart"),
            )
        )
    return Say(text=f"{_report(results)}\n\nPublished: {SUMMARY}, {WORKBOOK}, {CHART}.")


def _steps() -> list[dict[str, Any]]:
    read = [
        {"description": f"Read {one.page} and work out from {FILE.name} how many riders {one.name} has on a day."}
        for one in COUNTERS
    ]
    return [
        *read,
        {"description": f"Make {WORKBOOK} with a chart, and {CHART}, from the noted figures.", "depends_on": [1, 2, 3]},
        {"description": f"Write {SUMMARY} from the noted figures.", "depends_on": [1, 2, 3]},
    ]


def _question(results: dict[int, Any]) -> str:
    ready = sum(step["status"] == "completed" for step in results.values())
    return f"{ready} of {len(results)} steps are done: summary, workbook and chart are ready. Publish them?"


def _report(results: dict[int, Any]) -> str:
    """What the steps said, as it came."""
    return "\n".join(str(results[number].get("result") or results[number].get("error")) for number in (1, 2, 3))


# ---- a step: one counter -------------------------------------------------------------------------------------


def _counter(ask: Ask, *, page: str, counter: str) -> Say:
    read, found, noted = _last(ask, "site_read"), _last(ask, "data_query"), _last(ask, "note_write")
    if read is None:
        return Say(
            thoughts=f"Was {counter} ever out of order? Its page must say so.",
            calls=(call("site_read", page=page), call("data_profile", path=FILE.name)),
        )
    dates = _dates(read["text"])
    if found is None:
        return Say(calls=(_query(ask, _SQL.format(counter=counter, **dates)),))
    figures = _rows(found)[0]
    if noted is None:
        kept = json.dumps({"counter": counter, **dates, **figures})
        return Say(calls=(call("note_write", section=NOTES, text=kept, mode="append"),))
    return Say(text=_sentence(counter, dates, figures))


def _dates(page: str) -> dict[str, str]:
    """When the place changed and when its counter failed, as its page says."""
    day = r"(\d{4}-\d\d-\d\d)"
    changed, broken = re.search(rf"Changed: {day}", page), re.search(rf"Out of order: {day} to {day}", page)
    assert changed and broken, f"the page does not say when it changed: {page!r}"
    return {"changed": changed[1], "broken_from": broken[1], "broken_to": broken[2]}


def _sentence(counter: str, dates: dict[str, str], figures: dict[str, Any]) -> str:
    rise = 100 * (figures["after"] / figures["before"] - 1)
    return (
        f"{counter}: {figures['riders_a_day']:,} riders a day over {figures['days']} valid days "
        f"(out of order {dates['broken_from']} to {dates['broken_to']}). In the four weeks before {dates['changed']} "
        f"it had {figures['before']:,} a day, in the four weeks after {figures['after']:,} ({rise:+.0f} %)."
    )


# ---- a step: workbook and chart, summary -----------------------------------------------------------------------


def _workbook(ask: Ask) -> Say:
    noted, months, sheet = _last(ask, "note_read"), _last(ask, "data_query"), _last(ask, "sheet_create")
    if noted is None or months is None:
        return Say(calls=(call("note_read", section=NOTES), _query(ask, _MONTHS)))
    figures = _noted(noted)
    if sheet is None:
        columns = ["Counter", "Riders a day", "Valid days", "4 weeks before", "4 weeks after", "Dry days", "Wet days"]
        names = ("counter", "riders_a_day", "days", "before", "after", "dry", "wet")
        table: dict[str, Any] = {
            "name": "Counters",
            "columns": columns,
            "rows": [[one[name] for name in names] for one in figures],
            "table": True,
            "charts": [{"kind": "bar", "title": "Riders a day", "x": "Counter", "y": "Riders a day"}],
        }
        by_month = _rows(months)
        monthly: dict[str, Any] = {
            "name": "Months",
            "columns": ["Month", "Counter", "Riders"],
            "rows": [list(row.values()) for row in by_month],
            "table": True,
        }
        drawn = call(
            "chart_create",
            path=CHART,
            kind="line",
            data=by_month,
            x="month",
            y="riders",
            color="counter",
            title="Riders by month",
        )
        return Say(calls=(call("sheet_create", path=WORKBOOK, sheets=[table, monthly]), drawn))
    _last(ask, "chart_create")
    return Say(
        text=f"{WORKBOOK} has {len(figures)} counters with a chart and {len(_rows(months))} monthly sums; {CHART} is drawn."
    )


def _summary(ask: Ask) -> Say:
    noted, written = _last(ask, "note_read"), _last(ask, "file_write")
    if noted is None:
        return Say(calls=(call("note_read", section=NOTES),))
    if written is None:
        return Say(calls=(call("file_write", path=SUMMARY, content=_markdown(_noted(noted)), mode="overwrite"),))
    return Say(text=f"{SUMMARY} is written.")


def _markdown(figures: list[dict[str, Any]]) -> str:
    busiest = max(figures, key=lambda one: one["riders_a_day"])
    gained = max(figures, key=lambda one: one["after"] / one["before"])
    driest = max(figures, key=lambda one: one["dry"] / one["wet"])
    lines = [f"- {_sentence(one['counter'], one, one)}" for one in figures]
    return "\n".join(
        [
            "# Bicycle counters of Ostermoor, January to June 2026",
            "",
            f"**{busiest['counter']}** is the busiest with {busiest['riders_a_day']:,} riders a day. "
            f"**{gained['counter']}** gained most after its change. Rain matters most at **{driest['counter']}**: "
            f"{driest['wet']:,} riders on a wet day, {driest['dry']:,} on a dry one.",
            "",
            *lines,
            "",
            f"Days on which a counter was out of order are left out. Four weeks before and after say nothing of the season: "
            f"spring alone brings more riders. Table and chart: {WORKBOOK}, {CHART}.",
            "",
        ]
    )


# ---- reading results -------------------------------------------------------------------------------------------


def _query(ask: Ask, sql: str) -> Call:
    return ask.call("data_query", sql=sql, files={"counts": FILE.name}, limit=100)


def _last(ask: Ask, tool: str) -> Any:
    """The newest output of a tool, or None; a failed call is nobody's secret: it ends the demo with its message."""
    results = ask.results.get(tool)
    if not results:
        return None
    newest = results[-1]
    assert "error" not in newest, f"{tool} failed: {newest['error']}"
    return newest["output"]


def _rows(output: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a query, each by column name."""
    return [row if isinstance(row, dict) else dict(zip(output["columns"], row, strict=True)) for row in output["rows"]]


def _noted(output: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures as the steps noted them; in the order of the counters, however the steps ended."""
    found = {one["counter"]: one for one in map(json.loads, output["text"].splitlines())}
    return [found[counter.name] for counter in COUNTERS if counter.name in found]
