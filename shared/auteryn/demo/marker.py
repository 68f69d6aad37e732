"""A home that the demo made: whoever opens it again gets the demo's model and tool, so that its run can always go on."""

from __future__ import annotations

from pathlib import Path

from auteryn.compose import Settings, embedded
from auteryn.errors import Invalid
from auteryn.runtime.host import Host
from auteryn.tools.tool import Tool

FILE = "demo.json"


def mark(home: Path) -> None:
    """Make this home a demo's; raises `Invalid` where other runs live already."""
    if home.exists() and any(home.iterdir()) and not (home / FILE).exists():
        raise Invalid("--home", str(home), "holds something already: the demo wants an empty folder or one of its own")
    home.mkdir(parents=True, exist_ok=True)
    (home / FILE).write_text("{}\n")


def demo_host(settings: Settings) -> Host | None:
    """The host with the scripted model and `site_read`; None if this home is no demo's."""
    tools = demo_tools(settings)
    if not tools:
        return None
    from auteryn.demo.script import model

    return embedded(settings, model=model(), tools=tools)


def demo_tools(settings: Settings) -> list[Tool]:
    """What the demo's homes have beside the built-in tools."""
    if not (settings.home / FILE).exists():
        return []
    from auteryn.demo.site import site_read

    return [site_read()]
