"""Charts as images, from rows or from questions to the run's tables."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any, cast

from auteryn.errors import Invalid, ToolFailed
from auteryn.policy.quotas import MB
from auteryn.tools.chart_spec import Kind, Rows, checked_spec, drawing
from auteryn.tools.data import plain
from auteryn.tools.fonts import boxes
from auteryn.tools.leash import Leash, in_thread
from auteryn.tools.needs import no_charts
from auteryn.tools.sheet_shape import Value
from auteryn.tools.tables.database import query_of, whole_result
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.workspace import Workspace

MOST_ROWS = 20_000
"""Each a mark of its own: 20,000 points take 3 s, 100,000 take 30 s."""
MOST_SUMMED = 100_000
"""For kinds that draw few marks of many rows."""
SPEC_BYTES = MB
SCALE = 2
VERSION = "6.4"
"""Of Vega-Lite: pinned, so that a chart looks the same next year."""
_ENVIRONMENT = {"TZ": "UTC", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
_RENDERER = Path(__file__).with_name("chart_render.py")


@tool(reads_files=True, effect="idempotent", group="data", missing=no_charts, serial=lambda args: str(args["path"]))
async def chart_create(
    ctx: ToolContext,
    path: Annotated[str, "The image to write, .png or .svg"],
    kind: Annotated[Kind, "What to draw; vega: exactly the given spec"],
    data: Annotated[str | list[dict[str, Value]] | None, "Rows as objects, a table file, or SQL as in data_query"] = None,
    x: Annotated[str | None, "Column across (pie: the parts; histogram: the numbers)"] = None,
    y: Annotated[str | list[str] | None, "Column of numbers; several make several series"] = None,
    color: Annotated[str | None, "Column that tells series apart (heatmap: the numbers)"] = None,
    title: Annotated[str, "Above the chart: say what it shows"] = "",
    spec: Annotated[
        dict[str, Any] | str | None, "For vega: a Vega-Lite or Vega specification; nothing in it is fetched"
    ] = None,
) -> dict[str, Any]:
    """Draw a chart as an image. Rows with the same x are summed; aggregate otherwise in the SQL of data."""
    form = path.lower().rpartition(".")[2]
    if form not in ("png", "svg"):
        raise ToolFailed("unsupported", f"path: {path!r} must end in .png or .svg")
    if kind == "vega":
        table = await _rows(ctx.files, data, MOST_ROWS) if data is not None else None
        drawn, notes = _given(spec, table), list(table.notes if table else ())
    else:
        if spec is not None:
            raise _invalid("spec", kind, "takes none: it belongs to the kind 'vega'")
        table = await _rows(ctx.files, data, MOST_SUMMED if kind in ("histogram", "box") else MOST_ROWS)
        made = drawing(kind, table, x, _names(y, table), color, title)
        drawn, notes = made.spec, [*table.notes, *made.notes]
    notes += await asyncio.to_thread(boxes, json.dumps(drawn, ensure_ascii=False, default=str))
    image = await _rendered(drawn, form)
    await asyncio.to_thread(ctx.files.write, path, image)
    told: dict[str, Any] = {"path": path, "size_bytes": len(image), "kind": kind, "rows": len(table.rows) if table else None}
    told |= {"width": drawn["width"], "height": drawn["height"]} if kind != "vega" else {}
    return told | ({"notes": notes} if notes else {})


# ---- what to draw --------------------------------------------------------------------------------------------


async def _rows(files: Workspace, data: str | list[dict[str, Any]] | None, most: int) -> Rows:
    if data is None:
        raise _invalid("data", None, "is needed: rows, a table file or SQL")
    if isinstance(data, str) and data.lstrip().startswith("["):
        data = _listed(data)
    if isinstance(data, str):
        asked = data
        return await in_thread(lambda leash: _asked(files, asked, most, leash))
    if len(data) > most:
        raise ToolFailed("too_large", f"data: {len(data):,} rows are more than {most:,}: aggregate them")
    columns = list(dict.fromkeys(key for row in data for key in row))
    return Rows(columns, [[row.get(column) for column in columns] for row in data])


def _listed(text: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise _invalid("data", text, f"is no JSON list of rows: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast("list[Any]", rows)):
        raise _invalid("data", text, "must be a list of objects, one a row")
    return cast("list[dict[str, Any]]", rows)


def _asked(files: Workspace, data: str, most: int, leash: Leash) -> Rows:
    answer = whole_result(files, query_of(files, data), leash, most_rows=most)
    return Rows(answer.columns, [[plain(value) for value in row] for row in answer.rows], answer.notes)


def _names(y: str | list[str] | None, table: Rows) -> list[str]:
    """One column, or several: as a list, or in one text with commas."""
    if y is None or y == "":
        return []
    if isinstance(y, list):
        return y
    whole = y.strip().lower() in [column.lower() for column in table.columns]
    return [y] if whole else [name for name in y.split(",") if name.strip()]


def _given(spec: dict[str, Any] | str | None, table: Rows | None) -> dict[str, Any]:
    """The specification as it was given, with the rows in it."""
    if isinstance(spec, str):
        try:
            spec = json.loads(spec)
        except ValueError as error:
            raise _invalid("spec", spec, f"is no JSON: {error}") from error
    if not isinstance(spec, dict):
        raise _invalid("spec", spec, "must be a Vega-Lite specification: an object")
    if len(json.dumps(spec, default=str)) > SPEC_BYTES:
        raise ToolFailed("too_large", f"spec: is larger than {SPEC_BYTES:,} bytes: give the rows in data")
    spec = checked_spec(spec)
    if table is None:
        return spec
    values = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return spec | {"data": [{"name": "table", "values": values}] if _is_vega(spec) else {"values": values}}


def _is_vega(spec: dict[str, Any]) -> bool:
    return "marks" in spec or "/vega/" in str(spec.get("$schema", ""))


# ---- drawing -------------------------------------------------------------------------------------------------


async def _rendered(spec: dict[str, Any], form: str) -> bytes:
    """The image. The renderer ends with the call."""
    language = "vega" if _is_vega(spec) else "vegalite"
    order = json.dumps({"spec": spec, "form": form, "language": language, "version": VERSION, "scale": SCALE}).encode()
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(_RENDERER), stdin=pipe, stdout=pipe, stderr=pipe, env=_ENVIRONMENT
    )
    try:
        image, complaint = await child.communicate(order)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode == 0 and image:
        return image
    if child.returncode == 1:
        raise ToolFailed("invalid", f"the chart cannot be drawn: {_reason(complaint)}")
    raise ToolFailed("too_large", "drawing took too much memory or time: aggregate the rows, or draw something simpler")


def _reason(complaint: bytes) -> str:
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines()]
    return next((line for line in lines if line and not line.endswith("conversion failed:")), "no reason given")[:300]


def _invalid(field: str, value: Any, rule: str) -> ToolFailed:
    return ToolFailed("invalid", str(Invalid(field, value, rule)))
