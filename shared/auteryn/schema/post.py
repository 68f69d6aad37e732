"""What a run tells the world outside: one post per receiver, stored with the facts it tells of, dropped when delivered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from auteryn.schema.record import Record
from auteryn.schema.run import Channel, Occasion

POST, POSTS = "post", "posts"
"""Kind and scope of the documents; their `at` is the moment of the next try."""

UNDELIVERED = "undelivered"
"""Kind of the documents of posts that nobody has taken; their scope is the run's root, their `at` the moment of the next try:
it has passed where there is none."""

ENDPOINT = "endpoint"
"""Kind of the documents of webhook endpoints; their scope is the owner."""

ROTATED = "secret"
"""Kind of the documents of secrets that came after an endpoint's first; their scope is its id, their `at` when they came. Each
is a document of its own, so two people who rotate or remove at the same time overwrite nothing of each other's."""

OVERLAP = timedelta(days=1)
"""How long a secret goes on signing beside the one that came after it."""

EventType = Literal[
    "run.started",
    "run.waiting",
    "run.resumed",
    "step.completed",
    "budget.reached",
    "deliverable.verified",
    "run.completed",
    "run.failed",
    "run.cancelled",
]


class Letter(Record):
    """Something worth telling, before it is known to whom."""

    type: EventType | Literal["run.digest", "run.reminded", "run.notified"]
    """The last three go to those who are notified, not to webhook endpoints."""
    occasion: Occasion | None = None
    """None: only programs hear of it."""
    subject: str = ""
    """Ask, step or deliverable it is about; the day of a digest; the words of a notice."""
    count: int = 0
    """Tells repeats about one subject apart."""


class Post(Record):
    """One letter on its way to one receiver."""

    id: str
    letter: Letter
    run: str
    root: str
    owner: str
    at: datetime
    """When it became true."""
    channel: Channel | None = None
    endpoint: str | None = None
    """Id of the webhook endpoint, if it goes to one."""
    attempts: int = 0
    error: str = ""
    """Why the last try failed."""


class Secret(Record):
    """What signs. An old one goes on signing for a while after it was rotated."""

    text: str
    until: datetime | None = None


class Endpoint(Record):
    """Where a program hears of an owner's runs."""

    id: str
    owner: str
    url: str
    types: tuple[EventType, ...]
    """Empty: all."""
    secrets: tuple[Secret, ...]
    """The newest first."""
    created_at: datetime
    description: str = ""
