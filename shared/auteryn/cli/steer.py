"""`auteryn send`, `pause`, `resume`, `cancel`, `retry`, `fork`: a word to a run, wherever it is at work."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import click

from auteryn.cli import exits, output
from auteryn.cli.follow import Follow, follow
from auteryn.cli.home import Home, going, opened
from auteryn.cli.root import Common, common
from auteryn.ports.store import children_of
from auteryn.runtime.slice import run_slice
from auteryn.schema.inbox import When
from auteryn.service.fork import Fork

STOPPED_WITHIN = timedelta(seconds=10)
"""How long a cancel is waited for: the engine promises five seconds."""

_WATCH = click.option("--detach", is_flag=True, help="Say it and return at once; the run goes on when somebody opens the home.")


@click.command()
@click.argument("run_id", metavar="RUN")
@click.argument("text")
@click.option("--queue", "mode", flag_value="queue", help="Not now: when the run would otherwise end.")
@click.option(
    "--interrupt", "mode", flag_value="interrupt", help="At once: what it and its steps think or do right now is broken off."
)
@common
@click.pass_obj
def send(common: Common, run_id: str, text: str, mode: When | None) -> None:
    """Say something to a run; it takes it in before its next thought."""
    going(_send(common, run_id, text, mode or "steer"))


async def _send(common: Common, run_id: str, text: str, mode: When) -> None:
    async with opened(common) as home:
        name = await home.named(run_id, text)
        await home.desk.send(name, text, mode=mode)
        await _said(common, home, name, "told")


@click.command()
@click.argument("run_id", metavar="RUN")
@common
@click.pass_obj
def pause(common: Common, run_id: str) -> None:
    """Let a run rest until `auteryn resume`. Calls under way are interrupted, nothing is lost."""
    going(told(common, run_id, lambda desk, run: desk.pause(run), "paused", act=True))


@click.command()
@click.argument("run_id", metavar="RUN")
@_WATCH
@common
@click.pass_obj
def resume(common: Common, run_id: str, detach: bool) -> int:
    """Let a paused run go on, and follow it."""
    return going(_resume(common, run_id, detach))


async def _resume(common: Common, run_id: str, detach: bool) -> int:
    async with opened(common) as home:
        name = await home.named(run_id)
        await home.desk.resume(name)
        return await _on(common, home, name, detach)


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--step", type=click.IntRange(1), metavar="N", help="Only this step.")
@_WATCH
@common
@click.pass_obj
def retry(common: Common, run_id: str, step: int | None, detach: bool) -> int:
    """Try the failed steps of a run again, and follow it."""
    return going(_retry(common, run_id, step, detach))


async def _retry(common: Common, run_id: str, step: int | None, detach: bool) -> int:
    async with opened(common) as home:
        name = await home.named(run_id)
        made = await home.desk.retry(name, step)  # of a run that has ended, another one
        return await _on(common, home, made.id, detach)


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "--after", metavar="EVENT", help="Id of an event, or number of a journal entry; without it, all but the last answer."
)
@click.option("--input", "text", metavar="TASK", help="The task as it should have been.")
@click.option("--message", metavar="TEXT", help="What to say to the agent before it goes on.")
@click.option("--allow-effects", is_flag=True, help="Do not ask before calls that change something outside.")
@_WATCH
@common
@click.pass_obj
def fork(
    common: Common,
    run_id: str,
    after: str | None,
    text: str | None,
    message: str | None,
    allow_effects: bool,
    detach: bool,
) -> int:
    """Begin again in the middle: a new run with RUN's past up to an event, and another future. What was recorded costs
    nothing; calls that change something outside are asked of you first."""
    where = int(after) if after and after.isdecimal() else after
    wanted = Fork(after=where, input=text, message=message, effects="free" if allow_effects else "ask")
    return going(_fork(common, run_id, wanted, detach))


async def _fork(common: Common, run_id: str, wanted: Fork, detach: bool) -> int:
    async with opened(common) as home:
        made = await home.desk.fork(await home.named(run_id), wanted)
        if detach:
            output.json_line({"run": made.id}) if common.json else output.text(made.id)
            return exits.DONE
        return await follow(common, home, made.id, Follow(from_now=True))


@click.command()
@click.argument("run_id", metavar="RUN")
@common
@click.pass_obj
def cancel(common: Common, run_id: str) -> int:
    """Stop a run and all its steps, within seconds; says what was under way."""
    return going(_cancel(common, run_id))


async def _cancel(common: Common, run_id: str) -> int:
    async with opened(common) as home:
        name = await home.named(run_id)
        await home.desk.cancel(name)
        await _settled(home, name)
        with contextlib.suppress(TimeoutError):
            await home.desk.result(name, timeout=STOPPED_WITHIN)
        await _said(common, home, name, "told to stop")
        return exits.DONE


async def told(
    common: Common, run_id: str, say: Callable[[Any, str], Awaitable[Any]], word: str, *, act: bool = False, rest: str = ""
) -> None:
    """Send one word to the run. `act`: if nobody is at work on it, do here what it asks for; that needs no model. `rest`: what
    else was said."""
    async with opened(common) as home:
        name = await home.named(run_id, rest)
        await say(home.desk, name)
        if act:
            await _settled(home, name)
        await _said(common, home, name, word)


async def _settled(home: Home, name: str) -> None:
    """If nobody is at work on the run, do here what the word asks for: it needs no model and no second process."""
    engine, store = home.host.engine, home.host.engine.services.store
    waiting = [name]
    while waiting:
        run = await store.get(waiting.pop())
        if not run.terminal and await store.inbox(run.id):
            await run_slice(engine, run.id)
        waiting += [child.id async for child in children_of(store, run.id) if not child.terminal]


async def _on(common: Common, home: Home, name: str, detach: bool) -> int:
    if not detach:
        return await follow(common, home, name, Follow(from_now=True))
    await _said(common, home, name, "told")
    return exits.DONE


async def _said(common: Common, home: Home, name: str, word: str) -> None:
    run = await home.desk.get(name)
    if common.json:
        output.json_line({"run": name, "status": run.status})
    elif run.terminal and not common.quiet:
        click.echo(f"{name}: {(await home.desk.logs(name, level='warning'))[-1].message}", err=True)
    elif not common.quiet:
        said = run.status if run.status == word else word
        click.echo(f"{name} {said}. {await home.desk.why_waiting(name)}", err=True)
