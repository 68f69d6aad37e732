"""Tables, charts, workbooks."""

from __future__ import annotations

from collections.abc import Iterator

from unit.tools.bench import Args, Bench, sample

SALES = "city,amount\n" + "".join(f"Town {number},{number * 3}\n" for number in range(40))


@sample
def data_profile(bench: Bench) -> Iterator[Args]:
    bench.put("sales.csv", SALES)
    yield {"path": "sales.csv"}


@sample
def data_query(bench: Bench) -> Iterator[Args]:
    bench.put("sales.csv", SALES)
    yield {"sql": "SELECT sum(amount) AS total, count(*) AS n FROM 'sales.csv'", "save_as": "total.csv"}


@sample
def chart_create(bench: Bench) -> Iterator[Args]:
    yield {"path": "a.svg", "kind": "bar", "data": [{"city": "A", "n": 3}, {"city": "B", "n": 5}], "x": "city", "y": "n"}


@sample
def sheet_create(bench: Bench) -> Iterator[Args]:
    yield {"path": "a.xlsx", "sheets": [{"name": "Prices", "columns": ["a", "b"], "rows": [[1, 2], [3, 4]]}]}


@sample
def sheet_read(bench: Bench) -> Iterator[Args]:
    bench.facts_of("sheet_create", next(sheet_create(bench)))
    yield {"path": "a.xlsx"}
