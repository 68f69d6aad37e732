"""The terminal as a log: lines are only ever appended, and one status line at the bottom is rewritten on a TTY.

Nothing that was printed is redrawn, no other screen is used: scrollback, copy and pipes stay what they are. Progress goes
to stderr, so that stdout holds the result alone.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from typing import TextIO

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_CLEAR = "\r\x1b[2K"
NARROWEST, WIDEST = 40, 120
"""Lines are wrapped between these: a log nobody can follow with the eye is too wide."""


class Screen:
    """Where progress goes. `live` is true on a terminal: only there a status line is kept."""

    def __init__(self, out: TextIO | None = None, *, quiet: bool = False) -> None:
        self.out = out or sys.stderr
        self.live = self.out.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.live and not os.environ.get("NO_COLOR")
        self.quiet = quiet
        self._status = ""
        self._held: list[str] | None = None

    @property
    def width(self) -> int:
        columns = shutil.get_terminal_size((100, 24)).columns if self.live else 100
        return max(NARROWEST, min(columns, WIDEST))

    def ink(self, text: str, *styles: str) -> str:
        """The text in these styles, where there is colour."""
        if not self.colour or not styles or not text:
            return text
        return f"\x1b[{';'.join(STYLES[style] for style in styles)}m{text}\x1b[0m"

    def line(self, text: str = "", *styles: str, whole: bool = False) -> None:
        """Append one line; longer ones are cut on a terminal, whole elsewhere. `whole`: there too, as it may be copied."""
        if self.quiet:
            return
        shown = fitted(clean(text), self.width - 1) if self.live and not whole else clean(text)
        self._append(self.ink(shown, *styles))

    def parts(self, *parts: str | tuple[str, ...]) -> None:
        """Append one line of pieces, each a text or (text, style, …)."""
        if self.quiet:
            return
        left, out = self.width - 1 if self.live else 10_000, list[str]()
        for part in parts:
            text, *styles = (part,) if isinstance(part, str) else part
            text = fitted(clean(text), left)
            left -= columns(text)
            out.append(self.ink(text, *styles))
            if left <= 0:
                break
        self._append("".join(out).rstrip())

    def paragraph(self, text: str, *styles: str, indent: str = "  ", first: str = "") -> None:
        """Append text, wrapped to the width, indented; its first line begins with `first`, if there is one."""
        for line in text.strip().splitlines():
            for piece in wrapped(clean(line), self.width - 1 - len(indent)):
                self.line(f"{first or indent}{piece}", *styles)
                first = ""

    def status(self, text: str) -> None:
        """What the bottom line says from now on; empty takes it away. Nothing happens off a terminal."""
        if not self.live or self.quiet or text == self._status:
            return
        self._status = text
        if self._held is None:
            self._write(_CLEAR + self.ink(fitted(clean(text), self.width - 1), "dim"))

    def hold(self) -> None:
        """A person is typing: lines wait until `go_on`."""
        self._write(_CLEAR if self.live and self._status else "")
        self._held = []

    def go_on(self) -> None:
        held, self._held = self._held or [], None
        for line in held:
            self._append(line)
        self._redraw()

    def ask(self, text: str) -> None:
        """Write a prompt, without an end of line, also while lines are held."""
        self._write(text)

    def close(self) -> None:
        """Leave the cursor on an empty line of its own."""
        if self._status and self.live:
            self._write(_CLEAR)
        self._status = ""

    def _append(self, line: str) -> None:
        if self._held is not None:
            self._held.append(line)
            return
        self._write(f"{_CLEAR if self._status else ''}{line}\n")
        self._redraw()

    def _redraw(self) -> None:
        if self._status and self.live:
            self._write(self.ink(fitted(clean(self._status), self.width - 1), "dim"))

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()


def clean(text: str) -> str:
    """Text from a model, a page or a file name, safe to print: control and direction characters are shown as `�`."""
    if text.isascii() and text.isprintable():
        return text
    kept = (
        " " if char in "\t\n\r" else "�" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") else char for char in text
    )
    return "".join(kept)


def columns(text: str) -> int:
    """How many columns the text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def fitted(text: str, width: int) -> str:
    """The text in at most `width` columns, cut with `…`."""
    return text if columns(text) <= width else f"{_head(text, width - 1)}…"


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken between words; within one that is longer."""
    lines = [""]
    for word in re.findall(r"\s*\S+", text):
        if columns(lines[-1] + word) > width:
            word = word.lstrip() if lines[-1] else word
            lines += [""] if lines[-1] else []
        while columns(word) > width:
            lines[-1] = _head(word, width) or word[0]
            word = word[len(lines[-1]) :]
            lines.append("")
        lines[-1] += word
    return lines


def _head(text: str, width: int) -> str:
    used = 0
    for place, char in enumerate(text):
        used += columns(char)
        if used > width:
            return text[:place]
    return text
