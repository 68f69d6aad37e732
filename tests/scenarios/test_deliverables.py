"""Done means: it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from auteryn.schema import event as e
from auteryn.schema.run import FileCheck, Options
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.files import file_write

WANTED = Options(deliverables=(FileCheck(path="report.md", min_bytes=10, contains="Summary"),))


@pytest.mark.proves("P36")
def test_a_model_that_lies_about_a_file_does_not_complete(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=["The report is in report.md."], tools=[file_write]) as world:
            run = await world.start("Write a report", options=WANTED)
            ended = await world.ended(run)
            assert ended.failure and ended.failure.reason == "deliverable_missing" and "report.md" in ended.failure.message
            assert [(verdict.deliverable, verdict.ok) for verdict in ended.verdicts] == [("report.md", False)]
            reminders = [x for x in await world.events(run) if isinstance(x, e.Told) and x.why == "deliverables"]
            assert len(reminders) == 2 and "report.md" in reminders[0].text
            assert ended.result == "The report is in report.md."

    skipping(story())


@pytest.mark.proves("P37")
def test_a_reminder_is_enough_for_a_model_that_only_forgot(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if "not there yet" in ask.last:
            return call("file_write", path="report.md", content="# Summary\nAll is well.")
        return "The report is in report.md."

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[file_write]) as world:
            ended = await world.ended(await world.start("Write a report", options=WANTED))
            assert ended.status == "completed" and [verdict.ok for verdict in ended.verdicts] == [True]

    skipping(story())
