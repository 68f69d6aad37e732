"""A script calls tools as functions; killed anywhere, none of its effects is doubled and none of its answers lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from auteryn.schema import event as e
from auteryn.testing.clock import skipping
from auteryn.testing.crash import Fate, Story
from auteryn.testing.laws import mails
from auteryn.testing.scenarios import KEY, TOOLS, Scenario
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.script import script_run

CODE = """
import random
found = [lookup(what=name) for name in ("A", "B")]
dice = random.random()
sent = mail(to="ann")
later = lookup(what=str(dice))
sent + " " + later
"""


def script(ask: Ask) -> Line:
    return call("script_run", code=CODE) if ask.turn == 0 else str(ask.new_results[0][1])


async def play(world: World) -> str:
    run = await world.start("Use a script", key=KEY)
    await world.ended(run)
    return run


SCENARIO = Scenario("script", "a script that looks, mails, and looks again", script, play, more_tools=(script_run,))


@pytest.mark.tool("script_run", "happy")
@pytest.mark.proves("L6", "L7")
def test_a_script_killed_at_any_call_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = Story(SCENARIO, tmp_path / "whole")
    whole.folder.mkdir()
    whole.through([])
    (quiet,) = whole.lives
    assert len(mails(whole.home)) == 1
    marks = [at for at, point in enumerate(quiet.points) if " tool " in point or point.endswith("store.commit")]
    for at in marks:
        story = Story(SCENARIO, tmp_path / str(at))
        story.folder.mkdir()
        story.through([Fate(die_at=at)])
        assert len(mails(story.home)) <= 1, quiet.points[at]
        result, events = ended(story)
        answers = [event for event in events if isinstance(event, e.CallAnswered)]
        assert max(Counter(event.call for event in answers).values()) == 1
        unknown = [event for event in answers if event.error == "ambiguous"]
        if unknown:
            assert "outcome unknown" in result
        else:
            assert "sent to ann facts about 0." in result and len(mails(story.home)) == 1, quiet.points[at]


def ended(story: Story) -> tuple[str, list[Any]]:
    async def look() -> tuple[str, list[Any]]:
        async with World(story.home, tools=[*TOOLS, script_run], clock=story.clock) as world:
            return str((await world.run(story.run)).result), await world.events(story.run)

    return skipping(look())


@pytest.mark.tool("script_run", "failure")
@pytest.mark.proves("L14")
def test_gates_and_limits_hold_inside_a_script(tmp_path: Path) -> None:
    tries = {
        "what a person must allow": ("delete(table='all')", "must be allowed by a person"),
        "an unknown tool": ("nothing(x=1)", "there is no tool"),
        "bad arguments": ("lookup(that='x')", "RuntimeError"),
        "a script in a script": ("script_run(code='1')", "cannot be called from within"),
        "files": ("open('/etc/passwd').read()", "Error"),
        "modules": ("import subprocess", "Error"),
        "positions": ("lookup('x')", "name every argument"),
        "a mistake": ("1 / 0", "ZeroDivisionError"),
        "no Python": ("def :", "cannot be run here"),
        "too much memory": ("x = 'a' * (1 << 40)", "Memory"),
    }
    names = list(tries)

    def asks(ask: Ask) -> Line:
        if ask.turn < len(names):
            return call("script_run", code=tries[names[ask.turn]][0])
        return "over"

    async def story() -> None:
        async with World(tmp_path / "home", model=asks, tools=[*TOOLS, script_run]) as world:
            run = await world.start("Try")
            await world.ended(run)
            events = await world.events(run)
            outer = [event for event in events if isinstance(event, e.CallAnswered) and event.within is None]
            for name, event in zip(names, outer, strict=True):
                assert event.error and tries[name][1] in str(event.output), (name, event.output)
            assert not mails(tmp_path / "home")

    skipping(story())


def test_a_failing_call_can_be_caught_and_what_was_printed_is_told(tmp_path: Path) -> None:
    code = "try:\n    delete(table='x')\nexcept RuntimeError as error:\n    print('no:', error)\nlen(lookup(what='A'))"

    def asks(ask: Ask) -> Line:
        return call("script_run", code=code) if ask.turn == 0 else "over"

    async def story() -> None:
        async with World(tmp_path, model=asks, tools=[*TOOLS, script_run]) as world:
            run = await world.start("Try")
            found = await world.ended(run)
            (told,) = [one for one in await world.events(run) if isinstance(one, e.CallAnswered) and one.within is None]
            assert told.output["result"] == len("facts about A") and told.output["calls"] == 2
            assert told.output["printed"].startswith("no: delete failed (denied)")
            assert {"script_run", "lookup"} <= set(found.used_tools) and found.usage.tool_calls == 3

    skipping(story())
