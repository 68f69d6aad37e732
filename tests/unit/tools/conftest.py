from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

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
