"""Arithmetic that does not guess: whole numbers exactly, dates and time zones by the calendar."""

from __future__ import annotations

import ast
import importlib
import math
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from typing import Annotated, Any, cast

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.tools.tool import ToolContext, tool

LONGEST = 2_000
"""Characters of an expression."""
MOST_BITS = 14_000
"""Of a whole number: Python prints up to 4,300 digits; 9**9**9 would be computed for ever."""
SHOWN_DIGITS, MOST_DIGITS = 12, 15
"""Significant digits of a fraction, so that 0.1 + 0.2 reads 0.3; from a billion on all that a double holds for sure, so that
large sums keep their cents."""


@tool(effect="read", group="utility", cost=0)
def calculate(
    ctx: ToolContext,
    expression: Annotated[
        str,
        "e.g. `(1299 - 949) / 1299`, `15% of 240`, `round(mean(3, 4, 8), 2)`, `date('2026-03-01') + days(90)`, "
        "`zone('2026-03-01 09:00', 'Europe/Berlin', 'Asia/Tokyo')`, `now()`, `convert(5, 'miles', 'km')`",
        Meta(min_length=1, max_length=LONGEST),
    ],
) -> dict[str, Any]:
    """Calculate exactly: numbers, percentages, statistics, units, dates and time zones. `^` and `**` are powers."""
    library: Any = importlib.import_module("simpleeval")
    try:
        tree = ast.parse(_spelled(expression.strip()), mode="eval")
        return {"result": shown(_evaluator(library, ctx.clock.now()).eval(expression, previously_parsed=tree.body))}
    except library.InvalidExpression as error:
        raise _refused(expression, str(error)) from error
    except (
        ArithmeticError,
        ValueError,
        TypeError,
        SyntaxError,
        RecursionError,
        MemoryError,
        LookupError,
        AttributeError,
    ) as error:
        raise _refused(expression, f"{type(error).__name__}: {error}") from error


def shown(value: Any) -> Any:
    """Whole numbers exactly, fractions with as many digits as are certain, dates as ISO."""
    match value:
        case bool() | str():
            return value
        case int():
            return value if abs(value) < 1 << 53 else str(value)
        case float():
            if not math.isfinite(value):
                raise ValueError("the result is not a finite number")
            rounded = float(f"{value:.{SHOWN_DIGITS if abs(value) < 1e9 else MOST_DIGITS}g}")
            return int(rounded) if rounded.is_integer() and abs(rounded) < 10**SHOWN_DIGITS else rounded
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return f"{shown(value / timedelta(days=1))} days"
        case list():
            return [shown(one) for one in cast("list[Any]", value)]
        case _:
            raise TypeError("the result is neither a number nor a date")


def _refused(expression: str, why: str) -> ToolFailed:
    return ToolFailed("invalid", f"expression: {expression[:120]!r} cannot be calculated: {why}")


def _spelled(text: str) -> str:
    """`2^8`, `15% of 240` and `8%` as a person means them; `a % b` between two values stays the remainder."""
    text = re.sub(r"(\d+(?:\.\d+)?)\s*%\s*of\b", r"(\1/100)*", text.replace("^", "**"))
    return re.sub(r"(\d+(?:\.\d+)?)\s*%(?=\s*(?:$|[-+*/),]))", r"(\1/100)", text)


# ---- what an expression may do -------------------------------------------------------------------------------


def _evaluator(library: Any, now: datetime) -> Any:
    evaluator = library.SimpleEval(
        operators=library.DEFAULT_OPERATORS | {ast.Pow: _power, ast.Mult: _times, ast.Add: _plus, ast.LShift: _shifted},
        functions=_FUNCTIONS | {"now": lambda: now, "today": now.date},
        names={"pi": math.pi, "e": math.e, "true": True, "false": False},
    )
    for kind in (ast.Attribute, ast.JoinedStr, ast.FormattedValue):
        evaluator.nodes.pop(kind, None)

    def listed(node: ast.List) -> list[Any]:
        return [evaluator._eval(one) for one in node.elts]

    evaluator.nodes[ast.List] = listed
    return evaluator


def _plus(a: Any, b: Any) -> Any:
    if isinstance(a, str | list) or isinstance(b, str | list):
        raise TypeError("only numbers, dates and spans of time can be added")
    return a + b


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1 and base.bit_length() * exponent > MOST_BITS:
        raise OverflowError(f"the power has more than {MOST_BITS:,} bits")
    value = base**exponent
    if isinstance(value, complex):
        raise ValueError("the result is not a real number")
    return value


def _times(a: Any, b: Any) -> Any:
    if not all(isinstance(one, int | float | timedelta) for one in (a, b)):
        raise TypeError("only numbers and spans of time can be multiplied")
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() + b.bit_length() > MOST_BITS:
        raise OverflowError(f"the product has more than {MOST_BITS:,} bits")
    return a * b


def _shifted(a: Any, b: Any) -> Any:
    return _times(a, _power(2, b))


def _small(limit: int, fn: Callable[..., int]) -> Callable[..., int]:
    def bounded(*numbers: int) -> int:
        if any(abs(n) > limit for n in numbers):
            raise OverflowError(f"only up to {limit:,}")
        return fn(*numbers)

    return bounded


def _over(fn: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """Takes `f(1, 2, 3)` and `f([1, 2, 3])`."""

    def spread(*values: Any) -> Any:
        return fn(cast("list[Any]", values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values))

    return spread


def _span(unit: str) -> Callable[[float], timedelta]:
    def span(count: float) -> timedelta:
        return timedelta(**{unit: count})

    return span


def _weekday(day: date) -> str:
    return f"{day:%A}"


def _isoweek(day: date) -> int:
    return day.isocalendar().week


def _mean(values: list[Any]) -> float:
    return math.fsum(values) / len(values)


def _median(values: list[Any]) -> Any:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _stdev(values: list[Any]) -> float:
    """Of a sample."""
    mean = _mean(values)
    return math.sqrt(math.fsum((one - mean) ** 2 for one in values) / (len(values) - 1))


def _total(values: list[Any]) -> Any:
    return math.fsum(values) if any(isinstance(one, float) for one in values) else sum(values)


def _date(text: str) -> date:
    return date.fromisoformat(text)


def _time(text: str, zone: str = "UTC") -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=_zoned(zone)) if at.tzinfo is None else at


def _zone(at: str | datetime, first: str, second: str | None = None) -> datetime:
    """`zone(time, to)` or `zone(time, from, to)`."""
    home, goal = ("UTC", first) if second is None else (first, second)
    return (_time(at, home) if isinstance(at, str) else at).astimezone(_zoned(goal))


def _zoned(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone such as 'Europe/Berlin'") from error


_UNIT = re.compile(r"[A-Za-zµ°_ ]{1,30}(?:(?:\^|\*\*)-?[1-9])?")
"""One factor of a unit: no arithmetic that a library would carry out for us."""


def _converted(value: float, source: str, goal: str) -> float:
    """The value in another unit: `convert(90, 'km/h', 'm/s')`, `convert(20, 'degC', 'degF')`."""
    for unit in (source, goal):
        if not all(_UNIT.fullmatch(factor.strip()) for factor in re.split(r"(?<!\*)[*/](?!\*)", unit)) or len(unit) > 60:
            raise ValueError(f"{unit!r} is no unit such as 'km', 'kg*m/s^2' or 'degC'")
    try:
        return float(_units().Quantity(value, source).to(goal).magnitude)
    except AttributeError as error:  # an unknown unit is one of these
        raise ValueError(str(error)) from error


@cache
def _units() -> Any:
    try:
        return importlib.import_module("pint").UnitRegistry()
    except ModuleNotFoundError as error:
        raise ValueError("units need pip install 'auteryn[data]'") from error


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "atan2": math.atan2,
    "degrees": math.degrees,
    "radians": math.radians,
    "hypot": math.hypot,
    "gcd": math.gcd,
    "factorial": _small(1_000, math.factorial),
    "comb": _small(10_000, math.comb),
    "perm": _small(1_000, math.perm),
    "int": int,
    "float": float,
    "min": _over(min),
    "max": _over(max),
    "sum": _over(_total),
    "mean": _over(_mean),
    "median": _over(_median),
    "stdev": _over(_stdev),
    "count": _over(len),
    "date": _date,
    "time": _time,
    "zone": _zone,
    "minutes": _span("minutes"),
    "hours": _span("hours"),
    "days": _span("days"),
    "weeks": _span("weeks"),
    "weekday": _weekday,
    "isoweek": _isoweek,
    "convert": _converted,
}
