"""SQL as text: quoting, and the files a query names. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_WORDS = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<text>'(?:[^']|'')*')
      | (?P<name>"(?:[^"]|"")*")
      | (?P<reader>\b(?:read|parquet|sniff)_\w+\s*\()
      | (?P<open>\()
      | (?P<close>\))""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def unfenced(sql: str) -> str:
    """The SQL without the Markdown around it that models like to write."""
    found = re.fullmatch(r"\s*```\w*\n(.*?)\s*```\s*", sql, re.DOTALL)
    return found[1] if found else sql


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def literal_list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(literal, texts)) + "]"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def files_in(sql: str, is_file: Callable[[str], bool], real: Callable[[str], str]) -> tuple[list[str], str]:
    """The files quoted in `sql` as tables, and the SQL with real paths where a file is given to a reading function.

    `FROM 'a.csv'` is answered by a view of that name; `read_csv('a.csv', …)` opens the file itself.
    """
    named, out, at = list[str](), list[str](), 0
    inside = list[bool]()
    for word in _WORDS.finditer(sql):
        match word.lastgroup:
            case "reader":
                inside.append(True)
            case "open":
                inside.append(any(inside))
            case "close" if inside:
                inside.pop()
            case "text" | "name":
                mark, body = word[0][0], word[0][1:-1]
                path = body.replace(mark * 2, mark)
                if path and is_file(path):
                    if inside and inside[-1] and mark == "'":
                        out += [sql[at : word.start()], literal(real(path))]
                        at = word.end()
                    else:
                        named.append(path)
            case _:
                pass
    return list(dict.fromkeys(named)), "".join([*out, sql[at:]])
