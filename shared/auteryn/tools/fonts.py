"""Which scripts can be drawn here. Without a font that has them, programs draw boxes, and say nothing."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from functools import cache

_FAMILIAR = "\u052f"
"""The last of the Latin, Greek and Cyrillic letters, which every font has."""
_PICTURES = "\U0001f000"
_PATIENCE_SECONDS = 10


def boxes(text: str) -> list[str]:
    """A note on the scripts of this text that no font here has; none where that cannot be told."""
    signs = {_script(sign): sign for sign in sorted(set(text), reverse=True) if sign > _FAMILIAR}
    missing = sorted(name for name, sign in signs.items() if name and not _drawn(sign))
    if not missing:
        return []
    return [f"no font here has signs of {', '.join(missing)}: boxes are drawn instead (fonts-noto-cjk and its like have them)"]


def _script(sign: str) -> str:
    """The first word of a letter's name is its script's; "" of what belongs to none."""
    if sign >= _PICTURES:
        return "EMOJI"
    return unicodedata.name(sign, "").partition(" ")[0] if unicodedata.category(sign).startswith("L") else ""


@cache
def _drawn(sign: str) -> bool:
    tool = shutil.which("fc-list")
    if tool is None:
        return True
    try:
        asked = subprocess.run(
            [tool, f":charset={ord(sign):x}", "family"], capture_output=True, timeout=_PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return True
    return asked.returncode != 0 or bool(asked.stdout.strip())
