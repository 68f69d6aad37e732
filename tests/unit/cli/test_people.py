"""Answers, figures and webhooks from the command line."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auteryn.cli.home import opened
from auteryn.cli.root import Common
from auteryn.cli.stalled import needs_person
from auteryn.policy.gates import ALLOW
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import delete
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.human import ask_input


@pytest.mark.proves("P88", "P87")
def test_what_a_task_would_cost_and_how_a_run_stands(auteryn, created) -> None:
    said = auteryn("estimate", "Research ten competitors for 3 days", "--mode", "deep")
    assert said.code == 0 and "cost: high" in said.out and "(p90)" in said.out
    assert auteryn("estimate", " ").code == 2
    run = created("Compare the prices")
    health = auteryn("health", run)
    assert health.code == 0
    assert {"due: now", "inbox: none", "leased: no", "holder: none"} <= set(health.out.splitlines())
    assert auteryn("health", run, "--json").lines[0]["run"] == run
    costs = auteryn("credits", run, "--detail", "--json").lines[0]
    assert costs["total_credits"] == 0 and costs["detail"]["credits"] == 0 and costs["forecast"]["credits_p90"] > 0
    assert "forecast:" in auteryn("credits", run).out


def test_webhooks_are_made_rotated_listed_and_removed(auteryn) -> None:
    made = auteryn("webhooks", "add", "https://example.com/hook", "--type", "run.failed", "--json").lines[0]
    assert made["secret"].startswith("whsec_") and made["types"] == ["run.failed"]
    listed = auteryn("webhooks", "ls")
    assert made["id"] in listed.out and "whsec_" not in listed.out
    rotated = auteryn("webhooks", "rotate", made["id"])
    assert rotated.out.startswith("whsec_") and rotated.out.strip() != made["secret"]
    assert auteryn("webhooks", "remove", made["id"]).code == 0
    assert auteryn("webhooks", "remove", made["id"]).code != 0 and auteryn("webhooks", "ls", "--json").out == ""
    refused = auteryn("webhooks", "add", "http://10.0.0.1/")
    assert refused.code == 2 and "not public" in refused.err


@pytest.mark.proves("L14")
def test_a_gated_call_is_allowed_for_two_hours(auteryn, tmp_path: Path) -> None:
    home = tmp_path / "home"

    async def until_it_asks() -> str:
        async with World(home, model=[call("delete", table="customers"), "done"], tools=[delete], real_time=True) as world:
            return (await world.asked(await world.start("Tidy up"), timedelta(seconds=30))).asks[0].id

    async def answers() -> list[Any]:
        async with opened(Common(str(home))) as found:
            [ask] = await found.desk.asks()
            inbox = await found.host.engine.services.store.inbox(ask.run)
            return [one.answer for one in inbox]

    ask = asyncio.run(until_it_asks())
    offered = [line for line in auteryn("status").out.splitlines() if f" answer {ask} " in line]
    assert len(offered) > 1 and all(line.count('"') == 2 for line in offered), "each line can be copied as it stands"
    refused = auteryn("answer", ask, ALLOW, "--args", "{", "--detach")
    assert refused.code == 2 and "--args" in refused.err
    assert auteryn("answer", ask, ALLOW, "--for", "2h", "--detach").code == 2
    assert auteryn("answer", ask, "1", "--remember", "--for", "2h", "--detach").code == 0
    [said] = asyncio.run(answers())
    assert said.value == ALLOW and said.remember
    assert timedelta(hours=1, minutes=59) < said.until - said.at < timedelta(hours=2, minutes=1)


def test_retry_of_a_run_that_has_ended_goes_on_with_the_one_that_takes_over(auteryn, created):
    old = created("Compare the prices")
    assert auteryn("cancel", old).code == 0
    [said] = auteryn("retry", old, "--detach", "--json").lines
    assert said["run"] != old and said["status"] == "pending"
    assert auteryn("retry", old, "--detach", "--json").lines[0]["run"] == said["run"]


def test_a_question_that_silence_answers_in_a_moment_needs_no_person(tmp_path: Path) -> None:
    async def story() -> None:
        script = [call("ask_input", message="Which colour?", timeout="1h"), "done"]
        async with World(tmp_path, model=script, tools=[ask_input]) as world:
            run = (await world.asked(await world.start("Choose"))).id
            store = world.services.store
            assert await needs_person(store, run, world.now())
            await world.after(timedelta(minutes=59, seconds=30))
            assert not await needs_person(store, run, world.now())

    skipping(story())
