"""LibreOffice as a converter: its own process and profile, no macros, no network, killed with its call.

A document can name pictures and templates on other hosts. LibreOffice is told to load nothing it was not given, and its
way out is a proxy that is not there.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from auteryn.errors import ToolFailed
from auteryn.tools.leash import Leash
from auteryn.tools.preview_process import run_to_end

_SETTINGS = {
    "org.openoffice.Office.Common/Security/Scripting": {
        "BlockUntrustedRefererLinks": "true",
        "DisableMacrosExecution": "true",
        "DisableActiveContent": "true",
        "MacroSecurityLevel": "3",
    },
    "org.openoffice.Inet/Settings": {
        "ooInetProxyType": "2",
        "ooInetHTTPProxyName": "127.0.0.1",
        "ooInetHTTPProxyPort": "9",
        "ooInetHTTPSProxyName": "127.0.0.1",
        "ooInetHTTPSProxyPort": "9",
    },
}


def office() -> str | None:
    """Where LibreOffice is, None without it."""
    return shutil.which("soffice") or shutil.which("libreoffice")


def converted(real: Path, shown: str, to: str, leash: Leash) -> bytes:
    """The file in another form (`pdf`, `xlsx`); raises `ToolFailed`."""
    program = office()
    if program is None:
        raise ToolFailed("missing_extra", f"{shown!r}: this needs LibreOffice (the system package libreoffice-nogui)")
    with tempfile.TemporaryDirectory(prefix="auteryn-office-", ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        _profile(work / "profile" / "user")
        source = work / f"in{real.suffix.lower()}"
        shutil.copyfile(real, source)
        command = [
            program, f"-env:UserInstallation=file://{work}/profile", "--headless", "--norestore", "--nolockcheck",
            "--convert-to", to, "--outdir", str(work / "out"), str(source),
        ]  # fmt: skip
        code = run_to_end(command, work, f"{shown!r}: LibreOffice", leash)
        made = work / "out" / f"in.{to.partition(':')[0]}"
        if not made.exists() and code:  # of a file it cannot read it says so, and exits with 0
            raise ToolFailed("unavailable", f"{shown!r}: LibreOffice ended with exit code {code}", retryable=True)
        if not made.exists():
            raise ToolFailed("unsupported", f"{shown!r} cannot be opened by LibreOffice: it may be damaged or protected")
        return made.read_bytes()


def _profile(folder: Path) -> None:
    folder.mkdir(parents=True)
    items = "".join(
        f'<item oor:path="/{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, values in _SETTINGS.items()
        for name, value in values.items()
    )
    (folder / "registrymodifications.xcu").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">{items}</oor:items>'
    )
