"""A home that the demo made: whoever opens it again gets the demo's model and tool, so that its run can always go on."""

from __future__ import annotations

from auteryn.compose import Settings, embedded
from auteryn.errors import Invalid
from auteryn.runtime.host import Host
from auteryn.schema.record import Record, from_json, to_json

FILE = "demo.json"


class Marker(Record):
    """What every process of the demo must know."""

    site: str
    """Address of the pages."""


def mark(settings: Settings, marker: Marker) -> None:
    """Make this home a demo's; raises `Invalid` where other runs live already."""
    home = settings.home
    if home.exists() and any(home.iterdir()) and not (home / FILE).exists():
        raise Invalid("--home", str(home), "holds something already: the demo wants an empty folder or one of its own")
    home.mkdir(parents=True, exist_ok=True)
    (home / FILE).write_bytes(to_json(marker))


def demo_host(settings: Settings) -> Host | None:
    """The host with the scripted model and `site_read`; None if this home is no demo's."""
    path = settings.home / FILE
    if not path.exists():
        return None
    from auteryn.demo.script import model
    from auteryn.demo.site import site_read

    marker = from_json(path.read_bytes(), Marker, where=str(path))
    return embedded(settings, model=model(), tools=[site_read(marker.site)])
