"""WHAT WE NEED: one protocol a file, its laws numbered in the docstring, each law a test in `tests/conformance`."""

from __future__ import annotations

from auteryn.ports.blobs import Blobs
from auteryn.ports.bus import Bus
from auteryn.ports.clock import Clock
from auteryn.ports.jobs import Jobs
from auteryn.ports.model import Model
from auteryn.ports.queue import Queue
from auteryn.ports.store import Store
from auteryn.schema.record import Record


class Services(Record, gc=True):
    """The seven, as `compose` made them for one world. More than values: a port knows whom it calls, and so they are part of
    cycles."""

    store: Store
    queue: Queue
    bus: Bus
    jobs: Jobs
    blobs: Blobs
    model: Model
    clock: Clock


__all__ = ["Blobs", "Bus", "Clock", "Jobs", "Model", "Queue", "Services", "Store"]
