"""The calculator: right, readable, and not to be tricked."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auteryn.tools import calculate as calculate_module
from auteryn.tools.calculate import calculate
from unit.tools.room import Room


@pytest.mark.tool("calculate", "happy")
@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 2 * 3", 7),
        ("2 + 3^2", 11),
        ("-5 % 3", 1),
        ("7 // 2", 3),
        ("10 / 2", 5),
        ("0.1 + 0.2", 0.3),
        ("1/3", 0.333333333333),
        ("(1299 - 949) / 1299", 0.269438029253),
        ("15% of 240", 36),
        ("200 * 8%", 16),
        ("10 % 3", 1),
        ("2**53 - 1", 9007199254740991),
        ("2**64", "18446744073709551616"),
        ("factorial(20)", "2432902008176640000"),
        ("round(mean(3, 4, 8), 2)", 5),
        ("median([4, 1, 3, 2])", 2.5),
        ("stdev(2, 4, 4, 4, 5, 5, 7, 9)", 2.1380899353),
        ("sum([0.1] + [])", None),
        ("sum(0.1, 0.2, 0.3)", 0.6),
        ("max(3, 9, 4)", 9),
        ("3 > 2 and 1 < 2", True),
        ("5 if 2 > 1 else 6", 5),
        ("date('2026-03-01') + days(90)", "2026-05-30"),
        ("date('2028-03-01') - date('2028-02-01')", "29 days"),
        ("zone('2026-03-01 09:00', 'Europe/Berlin', 'Asia/Tokyo')", "2026-03-01T17:00:00+09:00"),
        ("zone('2026-03-29 09:00', 'Europe/Berlin', 'UTC')", "2026-03-29T07:00:00+00:00"),
        ("zone(now(), 'America/New_York')", "2026-01-05T04:00:00-05:00"),
        ("weekday(today())", "Monday"),
        ("98765432101.55 + 0.10", 98765432101.65),
        ("-1234567890123.45 + 0", -1234567890123.45),
        ("convert(5, 'miles', 'km')", 8.04672),
        ("convert(90, 'km/h', 'm/s')", 25),
        ("convert(20, 'degC', 'degF')", 68),
        ("round(convert(3, 'ft^2', 'm**2'), 4)", 0.2787),
    ],
)
def test_it_calculates(room: Room, expression: str, result: Any) -> None:
    if result is None:
        assert room.refusal(calculate, expression=expression).kind == "invalid"
    else:
        assert room.call(calculate, expression=expression) == {"result": result}


@pytest.mark.tool("calculate", "failure")
@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    "expression",
    [
        "9**9**9",
        "9^9^9",
        "2**99999999",
        "1 << 999999999",
        "(2**7000) * (2**7000)",
        "factorial(10**6)",
        "comb(10**9, 5)",
        "'a' * 10**9",
        "[1] * 10**9",
        "'a' + 'b'",
        "().__class__",
        "''.__class__.__mro__",
        "mean.__globals__",
        "date.today",
        "__import__('os').system('id')",
        "open('/etc/passwd')",
        "eval('1')",
        "exec('1')",
        "getattr(1, 'real')",
        "lambda: 1",
        "[x for x in [1]]",
        "f'{1}'",
        "a = 1",
        "a := 1",
        "import os",
        "(" * 900,
        "-" * 1_900 + "1",
        "unknown + 1",
        "1 / 0",
        "1e308 * 10",
        "sqrt(-1)",
        "(-8) ** 0.5",
        "mean()",
        "stdev(1)",
        "max()",
        "median()",
        "date('31.12.2026')",
        "zone('2026-01-01', 'Nowhere/Land')",
        "days(10**12)",
        "now",
        "",
        "convert(5, 'miles', 'kg')",
        "convert(5, 'florps', 'km')",
        "convert(5, '9**9**9 m', 'km')",
        "convert(5, 'm**9**9**9', 'km')",
        "convert(1, 'km', 'm; import os')",
        "convert('5', 'km', 'm')",
    ],
)
def test_tricks_and_mistakes_are_refused(room: Room, expression: str) -> None:
    assert room.refusal(calculate, expression=expression).kind == "invalid"


def test_units_say_what_to_install(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    calculate_module._units.cache_clear()
    monkeypatch.setitem(sys.modules, "pint", None)
    assert "pip install 'auteryn[data]'" in str(room.refusal(calculate, expression="convert(1, 'km', 'm')"))
    assert room.call(calculate, expression="1 + 1") == {"result": 2}
    calculate_module._units.cache_clear()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=st.integers(-(10**9), 10**9), b=st.integers(-(10**9), 10**9), sign=st.sampled_from("+-*"))
def test_whole_numbers_are_exact(room: Room, a: int, b: int, sign: str) -> None:
    exact = {"+": a + b, "-": a - b, "*": a * b}[sign]
    assert int(room.call(calculate, expression=f"({a}) {sign} ({b})")["result"]) == exact
