"""The tool contract: a typed async function becomes something the model can call.

    @tool(effect="read")
    async def weather(ctx: ToolContext, city: Annotated[str, "Name of the city"]) -> str:
        "Today's weather in a city."

The signature is the schema (`tools.signature`), the docstring the description. The engine validates arguments, keeps the
timeout, the effect ledger and the output cap; a tool only does its work and returns JSON, a `Result` or a `Pause`.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import cache, partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

from msgspec import Struct, field

from auteryn.errors import Invalid, ToolFailed
from auteryn.ports import Blobs, Clock, Store
from auteryn.ports.model import ModelRequest
from auteryn.schema.event import AnyEvent
from auteryn.schema.human import Answer
from auteryn.schema.message import Image, Reply
from auteryn.schema.record import Record, as_text, derived_id
from auteryn.schema.run import Run, Wait
from auteryn.tools.egress import Egress
from auteryn.tools.sitting import Sitting

if TYPE_CHECKING:
    from auteryn.tools.catalogue import Listed
    from auteryn.tools.registry import Registry
    from auteryn.tools.workspace import Workspace
else:  # `help` and `inspect` look the names up
    Registry = Workspace = Any

Effect = Literal["read", "idempotent", "keyed", "once"]
"""What a repeat would do: nothing; the same again; nothing, if the key is the same; everything a second time (L6)."""

Permission = Literal["auto", "ask", "ask1"]
"""`ask`: a person before every call. `ask1`: once per run, tool and target."""

Level = Literal["debug", "info", "warning", "error"]


class Result(Record):
    """An output together with facts for the journal, committed with the answer."""

    output: Any
    events: tuple[AnyEvent, ...] = ()
    credits: int | None = None
    """Thousandths of a credit, if it differs from the tool's `cost`."""
    labels: tuple[str, ...] = ()
    """What the output is, beyond what the tool declares: `@foreign` text, `@private` data."""
    images: tuple[Image, ...] = ()
    """Pictures, put into the blobs, that the model is to see with the output."""
    reached: tuple[str, ...] = ()
    """Who received what it sent, if not all its recipients did."""


class Pause(Record):
    """The call is answered later: the run waits without a process. `events` are committed with the wait."""

    wait: Wait
    """Its `call` is this call."""
    events: tuple[AnyEvent, ...] = ()


class Judged(Record):
    """What the gate needs to know of one call."""

    permission: Permission = "auto"
    target: str = ""
    """What it touches, in few words: approvals and grants name it."""
    sends: bool = False
    recipients: tuple[str, ...] = ()
    """Who gets it: addresses, channels."""
    url: str = ""
    """The address it fetches, if that is all it sends."""
    preview: str = ""
    """What it would do, where only whoever judges it knows."""


async def _no_tool(number: int, name: str, args: dict[str, Any]) -> Any:
    raise ToolFailed("unsupported", "this tool calls no others")


async def _nobody(request: ModelRequest) -> Reply:
    raise ToolFailed("not_configured", "there is no model to ask here")


class ToolContext(Struct):
    """What a tool may touch. Everything else it needs are arguments."""

    run: Run
    call: str
    """Id of this call; also the name of what it creates, so that a repeat creates nothing new."""
    files: Workspace
    """The tree's files, jailed."""
    store: Store
    blobs: Blobs
    clock: Clock
    registry: Registry
    shown: set[str] = field(default_factory=set[str])
    """Names of tools declared to the model so far; `tool_search` adds to it."""
    egress: Egress = field(default_factory=Egress)
    """The way out: what a tool sends anywhere goes through it."""
    sitting: Sitting = field(default_factory=Sitting)
    """What stays open until the slice ends."""
    labels: frozenset[str] = frozenset()
    """What the run has read so far: `@foreign` text, `@private` data."""
    consult: Callable[[ModelRequest], Awaitable[Reply]] = _nobody
    """Ask the model something in a request of its own; it is counted and paid by the run."""
    answers: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    """What people have said to this run's questions, by the question's id."""
    call_tool: Callable[[int, str, dict[str, Any]], Awaitable[Any]] = _no_tool
    """Call another tool, as the n-th such call of this one: its output, committed before it is given back."""
    anchor: datetime | None = None
    """Where the run's rhythm stands: the last wait's own time, or the run's start. None = now."""
    logged: list[tuple[Level, str]] = field(default_factory=list[tuple[Level, str]])

    @property
    def key(self) -> str:
        """Idempotency key for the outside: the same in every retry and after every crash."""
        return derived_id("key", self.run.id, self.call)

    def log(self, message: str, level: Level = "info") -> None:
        """A line in the run's log, committed with the answer."""
        self.logged.append((level, as_text(message)))


class Tool(Struct, frozen=True):
    """One tool. Made by `@tool`."""

    name: str
    description: str
    fn: Callable[..., Any]
    """`async fn(ctx, **arguments)`, or plain: then it runs in a thread of its own."""
    parameters: dict[str, Any]
    """JSON Schema of the arguments object."""
    effect: Effect
    permission: Permission = "auto"
    decide: Callable[[dict[str, Any], Workspace], Permission] | None = None
    """The permission where it depends on the arguments (how many files, how often)."""
    judge: Callable[[dict[str, Any], Workspace, Run], Judged] | None = None
    """Everything the gate asks, where it depends on what the arguments stand for (a button of a page)."""
    timeout: timedelta = timedelta(seconds=60)
    cost: int = 1_000
    """Thousandths of a credit a call."""
    group: str = "own"
    modes: tuple[str, ...] = ()
    """Modes in which it is declared from the start; otherwise `tool_search` finds it."""
    private: bool = False
    """Returns what is the owner's own: memory, a knowledge base."""
    reads_files: bool = False
    """Returns what stands in files, be it in a complaint about them."""
    reads_notes: bool = False
    """Returns what any step may have written down."""
    untrusted: bool = False
    """Returns text from outside (label U)."""
    foreign_words: bool = False
    """Its very description is a stranger's: to be shown it is to have read text of others."""
    sends: bool = False
    """Can carry something out (label S)."""
    recipients: Callable[[dict[str, Any]], Sequence[str]] | None = None
    """Who gets what a call sends."""
    address: Callable[[dict[str, Any]], str] | None = None
    """What a call fetches, if the address is all it sends; empty if there is more."""
    check: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Reads the arguments where no signature says what they are (a tool of another server)."""
    takes_context: bool = True
    calls_tools: bool = False
    """Calls other tools, whose answers are committed while it runs."""
    target: Callable[[dict[str, Any]], str] | None = None
    """What a call touches, in few words, for approvals and grants."""
    preview: Callable[[dict[str, Any], Workspace], str] | None = None
    """What a call would do, for whoever must allow it; the approval holds for exactly this."""
    serial: Callable[[dict[str, Any]], str | None] | None = None
    """Calls of one turn with the same key run one after the other."""
    probe: Callable[..., Any] | None = None
    """`async probe(ctx, **arguments)` → the output if the call took effect, None if it did not; raises if unknown."""
    missing: Callable[[], str | None] | None = None
    """Why the tool cannot work here (an extra, a system package, a credential), or None."""

    def judged(self, args: dict[str, Any], files: Workspace, run: Run) -> Judged:
        """What the gate needs to know of this very call."""
        if self.judge:
            return self.judge(args, files, run)
        permission = self.decide(args, files) if self.decide else self.permission
        return Judged(
            permission=permission,
            target=self.target(args) if self.target else "",
            sends=self.sends,
            recipients=tuple(self.recipients(args)) if self.recipients else (),
            url=self.address(args) if self.address else "",
        )

    async def outcome(self, context: ToolContext, args: dict[str, Any]) -> Any:
        """What the function gives, or a `Result` or `Pause`; raises what it raises, and `TimeoutError` past `timeout`.

        What would end more than the call (`sys.exit` of a program that is called, a cancellation nobody asked for, a library's
        panic) fails it.
        """
        first = (context,) if self.takes_context else ()
        async with asyncio.timeout(self.timeout.total_seconds()):
            try:
                if is_async(self.fn):
                    return await self.fn(*first, **args)
                work = partial(copy_context().run, partial(self._in_thread, *first, **args))
                came = await asyncio.get_running_loop().run_in_executor(THREADS, work)  # a skipping loop knows of it
                return await came if inspect.isawaitable(came) else came  # a plain wrapper around an async function
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                raise self._ended(error) from error
            except BaseException as error:
                if isinstance(error, _PASSING) or (isinstance(error, SystemExit) and type(error) is not SystemExit):
                    raise  # a kind of SystemExit is `testing.crash`: the process itself is dead
                raise self._ended(error) from error

    def _in_thread(self, *first: ToolContext, **args: Any) -> Any:
        try:
            return self.fn(*first, **args)
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, StopIteration):  # which no future takes
                raise
            raise self._ended(error) from error

    def _ended(self, error: BaseException) -> ToolFailed:
        return ToolFailed("failed", f"{self.name} failed: {type(error).__name__}: {error}")


class _ThreadsOfTheirOwn(Executor):
    """Whatever hangs takes no thread from those who copy files, nor from another call, and keeps no program from ending."""

    def __init__(self) -> None:
        self._work, self._idle = SimpleQueue[tuple[Future[Any], Callable[[], Any]]](), threading.Semaphore(0)
        self.under_way = set[Future[Any]]()
        """Also what nobody waits for any more."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = Future[Any]()
        future.set_running_or_notify_cancel()  # who gives up waiting cannot stop it
        self.under_way.add(future)
        future.add_done_callback(self.under_way.discard)
        self._work.put((future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False):
            threading.Thread(target=self._serve, daemon=True, name="auteryn tool").start()
        return future

    def _serve(self) -> None:
        while True:
            _carry_out(*self._work.get())
            self._idle.release()


def _carry_out(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001 - raised where it is waited for
        future.set_exception(error)


THREADS = _ThreadsOfTheirOwn()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=THREADS.__init__)  # none of them is there
_PASSING = (Exception, KeyboardInterrupt, GeneratorExit)


@cache
def is_async(fn: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(fn)


def about(tool: Tool | Listed) -> str:
    """The first sentence of the description: a tool's one line in an index."""
    return re.split(r"(?<=\.) ", " ".join(tool.description.split()), maxsplit=1)[0]


@overload
def tool(fn: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    effect: Effect = "once",
    permission: Permission = "auto",
    decide: Callable[[dict[str, Any], Workspace], Permission] | None = None,
    judge: Callable[[dict[str, Any], Workspace, Run], Judged] | None = None,
    timeout: timedelta = timedelta(seconds=60),
    cost: int = 1_000,
    group: str = "own",
    modes: tuple[str, ...] = ("fast", "deep"),
    private: bool = False,
    reads_files: bool = False,
    reads_notes: bool = False,
    recipients: Callable[[dict[str, Any]], Sequence[str]] | None = None,
    address: Callable[[dict[str, Any]], str] | None = None,
    untrusted: bool = False,
    sends: bool = False,
    calls_tools: bool = False,
    target: Callable[[dict[str, Any]], str] | None = None,
    preview: Callable[[dict[str, Any], Workspace], str] | None = None,
    serial: Callable[[dict[str, Any]], str | None] | None = None,
    probe: Callable[..., Any] | None = None,
    missing: Callable[[], str | None] | None = None,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a typed function; its docstring is what the model reads. Raises `Invalid` naming what does not fit.

    Without `effect` the engine assumes the worst (`once`): a call that was cut off by a crash is reported, never repeated.
    The other options are fields of `Tool`: `name`, `permission`, `timeout`, `cost`, `sends`, `untrusted`, `probe` and more.
    """

    def make(fn: Callable[..., Any]) -> Tool:
        from auteryn.tools.signature import parameters_of

        settings: dict[str, Any] = {"effect": "once", "modes": ("fast", "deep"), **options}
        name = _checked(fn, settings.pop("name", None) or getattr(fn, "__name__", None), settings)
        description = inspect.getdoc(fn)
        if not description:
            raise Invalid("tool", name, "needs a docstring: it is what the model reads")
        parameters, takes_context = parameters_of(fn)
        return Tool(name, description, fn, parameters, takes_context=takes_context, **settings)

    return make(fn) if fn is not None else make


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def _checked(fn: Any, name: Any, settings: dict[str, Any]) -> str:
    """The name. A typo is heard of here, and not at the first call, days into a run."""
    if not callable(fn) or not hasattr(fn, "__name__"):
        raise Invalid("tool", fn, "must be a function with a name: write one around it")
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise Invalid("tool", name, "gives its values one by one: return them as a list")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Invalid("name", name, "must be up to 64 of A-Z a-z 0-9 _ . - and begin with a letter: the model takes no other")
    for setting, words in (("effect", get_args(Effect)), ("permission", get_args(Permission))):
        if setting in settings and settings[setting] not in words:
            raise Invalid(setting, settings[setting], f"of {name} is none of {', '.join(words)}")
    span = settings.get("timeout", timedelta(seconds=1))
    if not isinstance(span, timedelta) or span <= timedelta(0):
        raise Invalid("timeout", span, f"of {name} must be a datetime.timedelta, longer than nothing")
    return name
