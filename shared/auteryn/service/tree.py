"""A run and everything below it: its runs, and what they published."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime

from auteryn.ports.store import Store, children_of
from auteryn.schema import event as e
from auteryn.schema.fold import add_usage
from auteryn.schema.record import Record
from auteryn.schema.run import Artifact, Run, Usage


class Version(Record):
    """A file as it was published once."""

    artifact: Artifact
    at: datetime


async def tree_of(store: Store, run: Run) -> AsyncGenerator[Run]:
    """The run and everything below it, parents first."""
    yield run
    async for child in children_of(store, run.id):
        async for one in tree_of(store, child):
            yield one


async def usage_of(store: Store, run: Run) -> Usage:
    """The run's own usage and that of the children whose end it has not heard of, as far as their summaries say."""
    usage, left = run.usage, set(run.shares)
    async with aclosing(children_of(store, run.id)) as children:
        while left and (child := await anext(children, None)):
            if child.id in left:
                left.remove(child.id)
                usage = add_usage(usage, await usage_of(store, child))
    return usage


def files_in(entries: Sequence[e.Entry]) -> list[Artifact]:
    """Every file version these entries published or took over."""
    return [one.artifact for one in (*published_in(entries), *taken_over_in(entries))]


def published_in(entries: Iterable[e.Entry]) -> Iterator[Version]:
    """Every version these journal entries published, in order."""
    for entry in entries:
        for event in entry.events:
            if isinstance(event, e.ArtifactPublished):
                yield Version(artifact=event.artifact, at=entry.at)


def taken_over_in(entries: Iterable[e.Entry]) -> Iterator[Version]:
    """What the steps and ticks had published whose end these entries tell: of a fork's past, no run below it says it."""
    for entry in entries:
        for event in entry.events:
            ends = event.steps if isinstance(event, e.StepsEnded) else (event.end,) if isinstance(event, e.TickEnded) else ()
            yield from (Version(artifact=one, at=entry.at) for end in ends for one in end.artifacts)
