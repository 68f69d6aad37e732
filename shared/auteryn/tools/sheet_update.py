"""Changes to a workbook that is there: only what was asked changes, and nothing is lost on the way, or nothing happens.

The library that edits knows less than Excel: what it would drop (pivots, drawn shapes, sparklines, macros in a plain file)
is found by comparing every part of the package before and after, and then the file is left as it was. It also forgets what
formulas last showed; those values are computed anew and written beside the formulas.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from auteryn.errors import Invalid, ToolFailed
from auteryn.policy.quotas import READ_BYTES
from auteryn.tools.document_package import opened, settled
from auteryn.tools.leash import in_thread
from auteryn.tools.needs import no_updates
from auteryn.tools.sheet_formulas import Cell, Grid, cell_at, computed, faults, shown_at
from auteryn.tools.sheet_functions import Fault
from auteryn.tools.sheet_plan import FIRST_YEAR, refuse_reaching_out
from auteryn.tools.sheet_shape import Value
from auteryn.tools.tool import ToolContext, tool

MOST_EDITS = 10_000
_SHOWN = 50
_REBUILT = (
    "calcChain",
    "sharedStrings",
    "styles",
    "docProps",
    "theme",
    "_rels",
    "Content_Types",
    "printerSettings",
    "metadata",
)
"""Parts that are made anew in another form, or that Excel makes itself."""
_FOLLOWS = frozenset({"dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "ignoredErrors", "phoneticPr", "extLst"})
"""Elements of a sheet that may go without anybody missing them. `extLst` is looked into."""
_TRIFLES = frozenset(
    re.findall(
        r"\w+",
        "AlternateContent Choice Fallback extLst ext uniqueId printSettings pageMargins headerFooter pageSetup date1904 lang "
        "style roundedCorners autoTitleDeleted layout spPr txPr ln noFill solidFill srgbClr schemeClr bodyPr lstStyle p pPr "
        "defRPr endParaRPr effectLst lumMod lumOff latin ea cs round prstDash clientData creationId xfrm off",
    )
)
"""Of charts: looks that are kept in another spelling, or default."""


@tool(
    reads_files=True,
    effect="idempotent",
    group="office",
    missing=no_updates,
    timeout=timedelta(minutes=3),
    serial=lambda args: str(args["path"]),
)
async def sheet_update(
    ctx: ToolContext,
    path: Annotated[str, "The workbook to change, .xlsx or .xlsm"],
    sheet: Annotated[str | None, "Name of the sheet; else the first"] = None,
    edits: Annotated[dict[str, Value], 'New values by cell, {"B7": 12.5, "C7": "=B7*2"}; null empties a cell'] = {},  # noqa: B006
    append_rows: Annotated[list[list[Value]], "Rows to add below the last one"] = [],  # noqa: B006
) -> dict[str, Any]:
    """Change cells of a workbook and add rows, keeping all else. A text that begins with "=" is a formula here. A workbook with
    parts that would be lost (pivots, macros in .xlsx, drawings) is left as it is, and the answer says which."""
    if not path.lower().endswith((".xlsx", ".xlsm")):
        raise ToolFailed("unsupported", f"path: {path!r} must end in .xlsx or .xlsm")
    if not edits and not append_rows:
        raise ToolFailed("invalid", "edits, append_rows: give at least one of them")
    if len(edits) + len(append_rows) > MOST_EDITS:
        raise ToolFailed("too_large", f"edits: more than {MOST_EDITS:,} changes: make a new workbook with sheet_create")
    key = ctx.key
    if (done := ctx.files.receipt(key)) is not None:
        return done
    return await in_thread(lambda leash: _updated(ctx, key, path, sheet, edits, append_rows))


def _updated(
    ctx: ToolContext, key: str, path: str, sheet: str | None, edits: Mapping[str, Any], rows: list[list[Any]]
) -> dict[str, Any]:
    before = ctx.files.read(path, most=READ_BYTES)
    book = opened(ctx.files, path, _loaded)
    _refuse_losses(before, _saved(book), path)
    target = _sheet(book, sheet, path)
    first = _last_row(target) + 1
    for reference, value in edits.items():
        _set(target, reference, value)
    added = {shown_at(first - 1 + at, column): value for at, row in enumerate(rows) for column, value in enumerate(row)}
    for reference, value in added.items():
        _set(target, reference, value)
    values, unknown = computed(_grids(book))
    body = settled(_with_values(_saved(book), [one.title for one in book.worksheets], values))
    told: dict[str, Any] = {"path": path, "sheet": target.title, "changed": list(edits)[:_SHOWN]}
    if rows:
        told["appended"] = f"rows {first} to {first + len(rows) - 1}"
    if shown := _computed(target.title, values, [*edits, *added]):
        told["computed"] = shown
    empty = [
        f"{cell.sheet}!{shown_at(cell.row, cell.column)} shows empty until Excel opens it: {why}"
        for cell, why in list(unknown.items())[:_SHOWN]
    ]
    if heard := [*empty, *faults(values)]:
        told["warnings"] = heard
    ctx.files.write(path, body, key=key, output=told)
    return told


def _computed(sheet: str, values: Mapping[Cell, Any], places: list[str]) -> dict[str, Any]:
    """What the formulas written now come to."""
    cells = [cell for place in places if (at := cell_at(place)) and (cell := Cell(sheet, *at)) in values][:_SHOWN]
    shown = ((cell, values[cell]) for cell in cells)
    return {shown_at(cell.row, cell.column): str(value) if isinstance(value, Fault) else value for cell, value in shown}


def _loaded(real: Path) -> Any:
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it does not know: that is found by comparing
        return openpyxl.load_workbook(real, keep_vba=real.suffix.lower() == ".xlsm", keep_links=True)


def _saved(book: Any) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(book: Any, name: str | None, path: str) -> Any:
    if name is None:
        return book.worksheets[0]
    for one in book.worksheets:
        if one.title.lower() == name.lower():
            return one
    raise ToolFailed("not_found", f"sheet: {name!r} is not in {path!r}, which has {', '.join(map(repr, book.sheetnames))}")


def _last_row(sheet: Any) -> int:
    """The last row with anything in it; formats alone do not count."""
    filled = (cell.row for row in sheet.iter_rows() for cell in row if cell.value is not None)
    return max(filled, default=0)


def _set(sheet: Any, reference: str, value: Any) -> None:
    from openpyxl.cell.cell import MergedCell

    if cell_at(reference) is None:
        raise ToolFailed("invalid", str(Invalid("edits", reference, "must be a cell such as B7")))
    cell = sheet[reference.replace("$", "").upper()]
    if isinstance(cell, MergedCell):
        raise ToolFailed("conflict", f"edits: {reference} lies inside merged cells: change their upper left one")
    if isinstance(value, str) and value.startswith("="):
        refuse_reaching_out(f"edits[{reference}]", value)
    cell.value = _dated(value)


def _dated(value: Any) -> Any:
    """A text in the form of a date is one."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        with suppress(ValueError):
            found = date.fromisoformat(value)
            return found if found.year >= FIRST_YEAR else value
    return value


# ---- nothing is lost ---------------------------------------------------------------------------------------------


def _refuse_losses(before: bytes, after: bytes, path: str) -> None:
    """Compare the package as it is with the one that is only read and written again."""
    old, new = _parts(before), _parts(after)
    lost = [name for name, count in (_kinds(old) - _kinds(new)).items() if count > 0]
    lost += [f"{name} of sheets" for name in _sheet_elements(old) - _sheet_elements(new)]
    lost += [f"{name} of charts and drawings" for name in _drawn_elements(old) - _drawn_elements(new)]
    if lost:
        raise ToolFailed(
            "conflict",
            f"{path!r} was left as it is: a change would lose {', '.join(sorted(lost)[:10])}. "
            "Write what is new into another workbook with sheet_create, or ask a person to change this one in Excel.",
        )


def _parts(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as package:
        return {name: package.read(name) for name in package.namelist() if not name.endswith("/")}


def _kinds(parts: Mapping[str, bytes]) -> Counter[str]:
    """How many parts of each kind: `xl/charts/chart`, `xl/pivotTables/pivotTable`, `xl/vbaProject.bin`."""
    names = (name for name in parts if not any(word in name for word in _REBUILT))
    return Counter(re.sub(r"\d+(?=\.\w+$)", "", name) for name in names if not name.endswith(".vml"))


def _sheet_elements(parts: Mapping[str, bytes]) -> Counter[str]:
    """Which elements the sheets have beside their cells; what stands in extensions by what it is."""
    from xml.etree import ElementTree

    found = Counter[str]()
    for name, body in parts.items():
        if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
            root = ElementTree.fromstring(body)
            found.update(tag for one in root if (tag := _tag(one)) not in _FOLLOWS)
            found.update(_tag(one) for extension in root.findall("{*}extLst/{*}ext") for one in extension)
    return found


def _drawn_elements(parts: Mapping[str, bytes]) -> Counter[str]:
    from xml.etree import ElementTree

    found = Counter[str]()
    for name, body in parts.items():
        if re.match(r"xl/(charts|drawings)/[^/]+\.xml$", name) and "/style" not in name and "/colors" not in name:
            found.update({_tag(one) for one in ElementTree.fromstring(body).iter()} - _TRIFLES)
    return found


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


# ---- what formulas show ------------------------------------------------------------------------------------------


def _grids(book: Any) -> dict[str, Grid]:
    grids = dict[str, Grid]()
    for sheet in book.worksheets:
        formulas = dict[tuple[int, int], str]()
        rows = [[_plain(cell, formulas) for cell in row] for row in sheet.iter_rows()]
        grids[sheet.title] = Grid(rows, formulas)
    return grids


def _plain(cell: Any, formulas: dict[tuple[int, int], str]) -> Any:
    if cell.data_type == "f":
        formulas[cell.row - 1, cell.column - 1] = str(getattr(cell.value, "text", cell.value))
        return None
    return cell.value


def _with_values(body: bytes, names: list[str], values: Mapping[Cell, Any]) -> bytes:
    """The package with the computed values beside its formulas, which the library leaves empty."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        places = {f"xl/worksheets/sheet{at}.xml": name for at, name in enumerate(names, 1)}
        for entry in old.namelist():
            part = old.read(entry)
            if sheet := places.get(entry):
                known = {shown_at(cell.row, cell.column): value for cell, value in values.items() if cell.sheet == sheet}
                part = _CELL.sub(lambda found, known=known: _valued(found, known), part.decode()).encode()
            new.writestr(entry, part)
    return out.getvalue()


_CELL = re.compile(r'<c r="([A-Z]+\d+)"([^>]*)>(<f[^>]*>[^<]*</f>|<f[^>]*/>)<v\s*/?>(?:</v>)?</c>')


def _valued(found: re.Match[str], known: Mapping[str, Any]) -> str:
    place, more, formula = found[1], re.sub(r'\s+t="[^"]*"', "", found[2]), found[3]
    value = known.get(place)
    kind, text = _stored(value)
    return f'<c r="{place}"{more}{kind}>{formula}{text}</c>'


def _stored(value: Any) -> tuple[str, str]:
    from xml.sax.saxutils import escape

    match value:
        case None:
            return "", ""
        case bool():
            return ' t="b"', f"<v>{int(value)}</v>"
        case int() | float():
            return "", f"<v>{value!r}</v>"
        case datetime() | date():
            from openpyxl.utils import datetime as dates

            library: Any = dates
            return "", f"<v>{library.to_excel(value)!r}</v>"
        case Fault():
            return ' t="e"', f"<v>{escape(value)}</v>"
        case _:
            return ' t="str"', f"<v>{escape(str(value))}</v>"
