"""A script of the model's that calls other tools as functions: many calls, one answer.

The script runs in Monty, an interpreter that can do nothing but compute; every call leaves it and goes through the engine like
a call of the model's own: gates, time, retries and the ledger. Each answer is committed before the script goes on. After a
crash the script is run from its beginning, its clock and its dice standing where they stood, and every call that has an answer
gets that answer again: nothing is done twice and nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Any, TypeVar, cast

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.schema.record import to_json
from auteryn.tools.needs import no_monty
from auteryn.tools.tool import ToolContext, tool

T = TypeVar("T")

SECONDS = 10
"""Of computing between two calls."""
MEMORY_BYTES = 128 << 20
PRINTED_BYTES = 200_000
CALLS = 500


@tool(effect="idempotent", group="code", timeout=timedelta(seconds=600), missing=no_monty, calls_tools=True)
async def script_run(
    ctx: ToolContext,
    code: Annotated[
        str,
        "Simple Python: the tools are functions with named arguments, e.g. `web_fetch(url=u)`; a failing call raises "
        "RuntimeError. The last expression is the answer",
        Meta(min_length=1, max_length=100_000),
    ],
) -> dict[str, Any]:
    """Call many tools in loops and conditions by a script, and get only its result. It cannot import or open anything."""
    with ThreadPoolExecutor(1, thread_name_prefix="script") as thread:  # an interpreter belongs to the thread it began in

        async def there(work: Callable[[], T]) -> T:
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(thread, work))

        made = asyncio.get_running_loop().run_in_executor(thread, _Script, ctx, code)
        try:
            return await _played(ctx, await asyncio.shield(made), there)
        finally:
            await there((await made).close)


async def _played(ctx: ToolContext, script: _Script, there: Callable[[Callable[[], Any]], Any]) -> dict[str, Any]:
    asked = await there(script.begin)
    number = 0
    while asked is not None:
        name, args = asked
        number += 1
        if number > CALLS:
            raise ToolFailed("quota", f"the script made {CALLS} calls, the most one may make: continue in another one")
        answer = await _answer(ctx, number, name, args)
        asked = await there(lambda answer=answer: script.go_on(answer))
    return script.told(number)


async def _answer(ctx: ToolContext, number: int, name: str, args: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"return_value": await ctx.call_tool(number, name, args)}
    except ToolFailed as error:
        return {"exc_type": "RuntimeError", "message": f"{name} failed ({error.kind}): {error}"}


class _Script:
    """The interpreter, from call to call. Lives in one thread."""

    def __init__(self, ctx: ToolContext, code: str) -> None:
        import pydantic_monty as monty

        self._monty: Any = monty
        self._code, self._at = code, cast("Any", None)
        self._printed = monty.CollectString(PRINTED_BYTES)
        self._output: Any = None
        self._pool = monty.Monty(max_processes=1, request_timeout=SECONDS * 2)
        self._pool.__enter__()
        self._session = self._pool.checkout(
            limits={
                "max_turn_duration_secs": SECONDS,
                "max_memory": MEMORY_BYTES,
                "max_recursion_depth": 200,
                "max_suspensions": CALLS * 4,
            },
            os_policy={"datetime": ctx.run.created_at, "sleep": "zero", "random_start": {"seed": ctx.call}},
        )
        self._session.__enter__()

    def begin(self) -> tuple[str, dict[str, Any]] | None:
        return self._until_a_call(lambda: self._session.feed_start(self._code, print_callback=self._printed))

    def go_on(self, answer: Any) -> tuple[str, dict[str, Any]] | None:
        return self._until_a_call(lambda: self._at.resume(answer))

    def told(self, calls: int) -> dict[str, Any]:
        try:
            to_json(self._output)
        except TypeError as error:
            raise ToolFailed("invalid", f"the script's last expression is no plain data: {error}") from error
        told: dict[str, Any] = {"result": self._output, "calls": calls}
        return told | ({"printed": self._printed.output} if self._printed.output else {})

    def close(self) -> None:
        self._session.__exit__(None, None, None)
        self._pool.__exit__(None, None, None)

    def _until_a_call(self, step: Callable[[], Any]) -> tuple[str, dict[str, Any]] | None:
        """Go on to the next call of a tool; None at the end. Raises `ToolFailed` with the script's own mistake."""
        monty = self._monty
        try:
            at = step()
            while not isinstance(at, monty.MontyComplete):
                if isinstance(at, monty.FunctionSnapshot) and not at.is_os_function:
                    if at.args:
                        at = at.resume({"exc_type": "TypeError", "message": f"{at.function_name}: name every argument"})
                        continue
                    self._at = at
                    return str(at.function_name), dict(at.kwargs)
                at = self._looked_up(at)
        except monty.MontySyntaxError as error:
            raise ToolFailed("invalid", f"this Python cannot be run here: {error.display('traceback')}") from error
        except monty.MontyRuntimeError as error:
            kind = "timeout" if isinstance(error.exception(), TimeoutError) else "invalid"
            kind = "too_large" if isinstance(error.exception(), MemoryError) else kind
            raise ToolFailed(kind, self._said(error.display("traceback"))) from error
        except monty.MontyError as error:
            raise ToolFailed("invalid", self._said(f"the interpreter gave up: {error}")) from error
        self._output = at.output
        return None

    def _looked_up(self, at: Any) -> Any:
        """Names the script does not define are tools, or nothing; files and modules of a system are never there."""
        if isinstance(at, self._monty.FunctionSnapshot):
            return at.resume_not_handled()
        return at.resume_auto()

    def _said(self, error: str) -> str:
        return f"{error}\nIt had printed:\n{self._printed.output[-2_000:]}" if self._printed.output else error
