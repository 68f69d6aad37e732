"""A person's own functions as tools: what would fail days into a run is refused at once, what ends a function ends its call."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date, timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel

from auteryn import Agent, Invalid, ToolContext, tool
from auteryn.testing.scripted import ScriptedModel


def counts(n: int) -> int:
    """Count."""
    return n


class Shop:
    def stock(self, sku: str) -> int:
        """Pieces."""
        return len(sku)


def one_by_one() -> Iterator[int]:
    """Numbers."""
    yield 1


async def later() -> AsyncIterator[int]:
    """Numbers, each when it comes."""
    yield 1


def late_context(n: int, where: ToolContext) -> int:
    """Count."""
    return n


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: tool(effect="reed")(counts), "effect: 'reed' of counts is none of read, idempotent, keyed, once"),  # pyright: ignore
        (lambda: tool(permission="never")(counts), "permission: 'never' of counts is none of auto, ask, ask1"),  # pyright: ignore
        (lambda: tool(timeout=5)(counts), "timeout: 5 of counts must be a datetime.timedelta"),  # pyright: ignore
        (lambda: tool(timeout=timedelta(0))(counts), "longer than nothing"),
        (lambda: tool(name="how many")(counts), "name: 'how many' must be up to 64"),
        (lambda: tool(lambda n: n), "name: '<lambda>' must be"),
        (lambda: tool(partial(counts, 1)), "must be a function with a name"),
        (lambda: tool(one_by_one), "gives its values one by one"),
        (lambda: tool(later), "gives its values one by one"),
        (lambda: tool(Shop.stock), "make the tool of `thing.stock`"),
        (lambda: tool(late_context), "it must come first"),
    ],
)
def test_a_tool_that_could_not_be_called_is_refused_when_it_is_made(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        make()
    assert said in str(refused.value)


def exits() -> None:
    """A program's main function."""
    sys.exit(3)


def interrupts() -> None:
    """What some libraries raise."""
    raise KeyboardInterrupt


def stops() -> int:
    """The next of nothing."""
    return next(iter(list[int]()))


async def exits_later() -> None:
    """A program's main function, awaited."""
    sys.exit(3)


async def panics() -> None:
    """Read a file with a library that panics."""
    raise Panic("index out of bounds")


class Panic(BaseException):
    """What a library written in Rust raises where it gives up: no Exception."""


async def cancelled() -> None:
    """Wait for what somebody else has cancelled."""
    other = asyncio.ensure_future(asyncio.Event().wait())
    other.cancel()
    await other


def named_otherwise(where: ToolContext, n: int) -> str:
    """The context under a name of one's own."""
    return f"{n} in {where.run.id[:4]}"


def wrapped_up(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of somebody who did not think of coroutines."""

    @wraps(function)
    def around(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    return around


@wrapped_up
async def within_a_wrapper(n: int) -> int:
    """An async function that looks like a plain one."""
    await asyncio.sleep(0)
    return n + 1


class Article(BaseModel):
    sku: str
    since: date


def modelled(sku: str) -> list[Article]:
    """What many programs give back."""
    return [Article(sku=sku, since=date(2026, 1, 5))]


def measured() -> dict[str, Any]:
    """What whoever works with numbers gives back."""
    return {"all": array("d", [1.5, 2]), "kind": array}


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("closed")


def unspeakable() -> Unspeakable:
    """A value that cannot even be printed."""
    return Unspeakable()


@pytest.mark.proves("P5")
@pytest.mark.parametrize(
    ("function", "args", "answered"),
    [
        (exits, {}, "exits failed: SystemExit: 3"),
        (interrupts, {}, "interrupts failed: KeyboardInterrupt: "),
        (stops, {}, "stops failed: StopIteration: "),
        (exits_later, {}, "exits_later failed: SystemExit: 3"),
        (panics, {}, "panics failed: Panic: index out of bounds"),
        (cancelled, {}, "cancelled failed: CancelledError: "),
        (named_otherwise, {"n": 2}, "2 in run_"),
        (within_a_wrapper, {"n": 2}, 3),
        (modelled, {"sku": "A 1"}, [{"sku": "A 1", "since": "2026-01-05"}]),
        (measured, {}, {"all": [1.5, 2.0], "kind": "<class 'array.array'>"}),
        (unspeakable, {}, {"note": "it is done, and what came of it has no JSON form: closed"}),
    ],
)
def test_whatever_ends_a_function_the_model_hears_of_it_and_the_run_goes_on(
    tmp_path: Path, function: Callable[..., Any], args: dict[str, Any], answered: Any
) -> None:
    one = tool(effect="read")(function)
    model = ScriptedModel(lambda ask: "done" if ask.results else ask.call(one.name, **args))
    with Agent(home=tmp_path, model=model, tools=[one]) as agent:
        task = agent.run_async("Call it", mode="fast")
        assert task.result(timeout=60) == "done"
        (result,) = [event for event in task.events() if event.kind == "tool_result"]
    assert result.output == answered


HANGS = """
import sys, threading
from datetime import timedelta
from auteryn import Agent, tool
from auteryn.testing.scripted import ScriptedModel, call

@tool(effect="read", timeout=timedelta(milliseconds=50))
def hangs() -> None:
    "Wait for what never comes."
    threading.Event().wait()

with Agent(home=sys.argv[1], model=ScriptedModel([[call("hangs")] * 40, "done"]), tools=[hangs]) as agent:
    task = agent.run_async("Call it", mode="fast", files={"a.txt": b"a"})
    print(task.result(), {event.error for event in task.events() if event.kind == "tool_result"})
"""


@pytest.mark.proves("P5")
def test_functions_that_hang_keep_neither_the_run_nor_the_program_from_ending(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS, tmp_path], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "done {'timeout'}\n"


def test_functions_that_end_leave_their_thread_to_the_next() -> None:
    @tool(effect="read")
    def mine() -> int:
        """Tell which thread it is."""
        return threading.get_ident()

    async def story() -> set[int]:
        return {await mine.outcome(cast("Any", None), {}) for _ in range(100)}

    assert len(asyncio.run(story())) < 10
