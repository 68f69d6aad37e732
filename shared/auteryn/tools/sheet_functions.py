"""Values as a spreadsheet has them, its operators and its functions: Excel's rules for empty cells, text and errors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal
from typing import Any

from msgspec import Struct

LEVELS = {"=": 1, "<>": 1, "<": 1, ">": 1, "<=": 1, ">=": 1, "&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "^": 5}
"""How strongly an operator binds."""
UNARY = 6
"""In a spreadsheet -2^2 is 4."""
_EPOCH = datetime(1899, 12, 30)
_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_WIDE = Context(prec=800, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Room for every double with as many places as anybody rounds to."""


class NotComputed(Exception):
    """The formula is beyond what is known here; its message says why."""


class Fault(str):
    """An error value such as `#DIV/0!`."""

    __slots__ = ()


DIV0, VALUE, NUM = Fault("#DIV/0!"), Fault("#VALUE!"), Fault("#NUM!")


class Area(Struct, frozen=True):
    """A range; its values are read when they are wanted."""

    cells: Callable[[], Iterator[Any]]
    one: bool

    def __iter__(self) -> Iterator[Any]:
        return self.cells()


def single(value: Any) -> Any:
    """The one value of a reference to one cell."""
    if not isinstance(value, Area):
        return value
    if not value.one:
        raise NotComputed("a range stands where one value is wanted")
    return next(iter(value))


def negated(value: Any) -> Any:
    number = _number(value)
    return number if isinstance(number, Fault) else -number


def whole(number: float) -> float | int:
    """An int where the number is one."""
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _number(value: Any) -> Any:
    """The value as arithmetic takes it, or the fault."""
    match value:
        case Fault():
            return value
        case None:
            return 0
        case bool():
            return int(value)
        case int() | float():
            return value
        case str():
            return _written_number(value.strip())
        case _:
            return _serial(value)


def _written_number(text: str) -> Any:
    """What a text means as a number: one, or a day."""
    try:
        if _DAY.fullmatch(text):
            return _serial(date.fromisoformat(text))
        return whole(float(text)) if _PLAIN.fullmatch(text) else VALUE
    except ValueError:
        return VALUE


def storable(value: Any) -> Any:
    """The value as a cell can hold it: no spreadsheet has infinity. Raises `OverflowError`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if math.isfinite(value) else NUM
    return value


def _serial(value: Any) -> Any:
    """Days since 1900, as Excel counts."""
    match value:
        case datetime():
            return whole((value.replace(tzinfo=None) - _EPOCH) / timedelta(days=1))
        case date():
            return (value - _EPOCH.date()).days
        case time():
            return timedelta(hours=value.hour, minutes=value.minute, seconds=value.second) / timedelta(days=1)
        case _:
            return VALUE


def _is_number(value: Any) -> bool:
    return not isinstance(value, (bool, str)) and value is not None


def joined(sign: str, left: Any, right: Any) -> Any:
    for side in (left, right):
        if isinstance(side, Fault):
            return side
    if sign == "&":
        return _text(left) + _text(right)
    if LEVELS[sign] == 1:
        return _compared(sign, left, right)
    a, b = _number(left), _number(right)
    if isinstance(a, Fault) or isinstance(b, Fault):
        return a if isinstance(a, Fault) else b
    return _arithmetic(sign, a, b)


def _arithmetic(sign: str, a: float, b: float) -> Any:
    try:
        match sign:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
            case "/":
                return whole(a / b) if b else DIV0
            case _:
                power = float(a) ** float(b)
                return whole(power) if isinstance(power, float) else NUM
    except (OverflowError, ZeroDivisionError):
        return DIV0 if sign == "^" and a == 0 else NUM


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case str():
            return value
        case _:
            return f"{_number(value):.15g}"


def _compared(sign: str, left: Any, right: Any) -> bool:
    a, b = _rank(_filled(left, right)), _rank(_filled(right, left))
    return {"=": a == b, "<>": a != b, "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[sign]


def _filled(value: Any, other: Any) -> Any:
    """An empty cell is the nothing of what it is compared with."""
    if value is not None:
        return value
    return "" if isinstance(other, str) else False if isinstance(other, bool) else 0


def _rank(value: Any) -> tuple[int, Any]:
    """Numbers before text before truth."""
    if isinstance(value, bool):
        return 2, value
    return (1, value.lower()) if isinstance(value, str) else (0, _number(value))


# ---- functions -----------------------------------------------------------------------------------------------


def _numbers(given: list[Any]) -> list[Any]:
    """The numbers of all arguments: in ranges only what is a number, elsewhere what can be one. A fault is raised as itself."""
    found = list[Any]()
    for one in given:
        for value in one if isinstance(one, Area) else (one,):
            if isinstance(value, Fault):
                raise _Faulty(value)
            if not isinstance(one, Area) and value is not None:
                value = _number(value)
                if isinstance(value, Fault):
                    raise _Faulty(value)
            if _is_number(value):
                found.append(_number(value))
    return found


class _Faulty(Exception):
    """An error value among the arguments."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


def _over(choose: Callable[[list[Any]], list[Any]], work: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    """A function of the values chosen from its arguments; the first fault among them is its value."""

    def function(given: list[Any]) -> Any:
        try:
            return work(choose(given))
        except _Faulty as faulty:
            return faulty.fault

    return function


def _sum(numbers: list[Any]) -> Any:
    if all(isinstance(number, int) for number in numbers):
        return sum(numbers)
    return math.fsum(numbers)


def _mean(numbers: list[Any]) -> Any:
    return whole(_sum(numbers) / len(numbers)) if numbers else DIV0


def _middle(numbers: list[Any]) -> Any:
    ranked, half = sorted(numbers), len(numbers) // 2
    if not ranked:
        return NUM
    return ranked[half] if len(ranked) % 2 else whole((ranked[half - 1] + ranked[half]) / 2)


def _count(given: list[Any]) -> int:
    areas = sum(_is_number(value) for one in given if isinstance(one, Area) for value in one)
    return areas + sum(
        _is_number(_number(one)) for one in given if not isinstance(one, Area) and not isinstance(_number(one), Fault)
    )


def _count_filled(given: list[Any]) -> int:
    return sum(value is not None for one in given for value in (one if isinstance(one, Area) else (one,)))


def _if(given: list[Any]) -> Any:
    test = single(given[0])
    if isinstance(test, Fault):
        return test
    if isinstance(test, str):
        return VALUE
    if _number(test):
        return single(given[1])
    return single(given[2]) if len(given) > 2 else False


def _if_error(given: list[Any]) -> Any:
    value = single(given[0])
    return single(given[1]) if isinstance(value, Fault) else value


def _round(given: list[Any]) -> Any:
    value, places = _number(single(given[0])), _number(single(given[1]) if len(given) > 1 else 0)
    if isinstance(value, Fault) or isinstance(places, Fault):
        return value if isinstance(value, Fault) else places
    step = Decimal(1).scaleb(-max(-400, min(400, int(places))))
    return whole(float(Decimal(repr(value)).quantize(step, ROUND_HALF_UP, _WIDE)))


def _abs(given: list[Any]) -> Any:
    value = _number(single(given[0]))
    return value if isinstance(value, Fault) else abs(value)


def _truths(given: list[Any]) -> list[bool]:
    """What AND and OR look at: text and empty cells do not count."""
    found = [value for one in given for value in (one if isinstance(one, Area) else (one,))]
    for value in found:
        if isinstance(value, Fault):
            raise _Faulty(value)
    return [bool(_number(value)) for value in found if not isinstance(value, str) and value is not None]


def _picked(given: list[Any]) -> list[Any]:
    """For SUMIF and its kin: the values whose partner meets the criterion, as an area."""
    tested, criterion, *rest = given
    values = rest[0] if rest else tested
    test = _criterion(single(criterion))
    return [Area(lambda: (value for partner, value in zip(tested, values, strict=False) if test(partner)), one=False)]


def _criterion(wanted: Any) -> Callable[[Any], bool]:
    """`">=10"`, `"North"`, `"N*"`, 5: what SUMIF and its kin ask of a cell."""
    found = re.match(r"(<>|<=|>=|=|<|>)?(.*)", wanted, re.DOTALL) if isinstance(wanted, str) else None
    sign, operand = (found[1] or "=", found[2]) if found else ("=", wanted)
    number = _number(operand) if operand != "" else VALUE
    if not isinstance(number, Fault):
        numeric = {"=": float.__eq__, "<>": float.__ne__, "<": float.__lt__, ">": float.__gt__, "<=": float.__le__}
        compare = numeric.get(sign, float.__ge__)
        readable = str if sign in ("=", "<>") else ()  # a text that reads as the number is equal to it

        def meets(cell: Any) -> bool:
            found = _number(cell) if _is_number(cell) or isinstance(cell, readable) else VALUE
            return sign == "<>" if isinstance(found, Fault) else compare(float(found), float(number))

        return meets
    if sign not in ("=", "<>"):
        return lambda cell: isinstance(cell, str) and _compared(sign, cell, operand)
    pattern = re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in str(operand)), re.IGNORECASE | re.DOTALL)
    return lambda cell: (pattern.fullmatch(_text(cell)) is not None and not _is_number(cell)) == (sign == "=")


FUNCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "SUM": _over(_numbers, _sum),
    "AVERAGE": _over(_numbers, _mean),
    "MIN": _over(_numbers, lambda numbers: min(numbers, default=0)),
    "MAX": _over(_numbers, lambda numbers: max(numbers, default=0)),
    "MEDIAN": _over(_numbers, _middle),
    "PRODUCT": _over(_numbers, lambda numbers: math.prod(numbers) if numbers else 0),
    "COUNT": _count,
    "COUNTA": _count_filled,
    "ABS": _abs,
    "ROUND": _round,
    "IF": _if,
    "IFERROR": _if_error,
    "AND": _over(_truths, all),
    "OR": _over(_truths, any),
    "SUMIF": _over(lambda given: _numbers(_picked(given)), _sum),
    "AVERAGEIF": _over(lambda given: _numbers(_picked(given)), _mean),
    "HYPERLINK": lambda given: single(given[-1]),
    "COUNTIF": lambda given: sum(1 for _ in _picked(given)[0]),
}
"""By name: a list of values and areas in, a value out."""
