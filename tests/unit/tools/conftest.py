from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from unit.tools.fault_server import FaultServer
from unit.tools.room import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A fresh run in a fresh folder."""
    made = Room(tmp_path)
    yield made
    made.close()


@pytest.fixture
def as_run(room: Room) -> Callable[..., None]:
    """Change fields of the run: `as_run(owner="me")`."""

    def change(**fields: Any) -> None:
        room.run = msgspec.structs.replace(room.run, **fields)

    return change


@pytest.fixture
def site() -> Iterator[FaultServer]:
    """A web server on this machine."""
    server = FaultServer()
    yield server
    server.close()


@pytest.fixture
def surfer(room: Room, site: FaultServer) -> Room:
    """The room with a guard that lets `site` pass."""
    room.egress = site.egress("shop.test", "other.test")
    return room
