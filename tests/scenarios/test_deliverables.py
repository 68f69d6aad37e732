"""Done means: it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from msgspec.structs import replace

from auteryn.errors import ToolFailed
from auteryn.policy.gates import ALLOW
from auteryn.schema import event as e
from auteryn.schema import inbox as m
from auteryn.schema.human import Answer
from auteryn.schema.message import Call
from auteryn.schema.run import FileCheck, Options
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.script import script_run
from auteryn.tools.tool import Result, ToolContext, tool

WANTED = Options(deliverables=(FileCheck(path="report.md", min_bytes=10, contains="Summary"),))


@pytest.mark.proves("P36")
def test_a_model_that_lies_about_a_file_does_not_complete(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=["The report is in report.md."], tools=[file_write]) as world:
            run = await world.start("Write a report", options=WANTED)
            ended = await world.ended(run)
            assert ended.failure and ended.failure.reason == "deliverable_missing" and "report.md" in ended.failure.message
            assert ended.failure.message.endswith("'report.md' is not: there is no such file")
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


@pytest.mark.proves("P37")
@pytest.mark.parametrize(
    "published", ["", "# Summary\nA draft.", "# Summary\nAll is well."], ids=["forgotten", "draft", "as it is"]
)
def test_whoever_asked_for_a_file_gets_it_as_it_is_at_the_end(tmp_path: Path, published: str) -> None:
    written = "# Summary\nAll is well."
    handing_over = (
        call("file_write", path="report.md", content=published),
        call("artifact_publish", path="report.md", title="Ours"),
    )
    turns = [
        *(handing_over if published else ()),
        call("file_write", path="report.md", content=written, mode="overwrite"),
        "Done.",
    ]

    async def story() -> None:
        async with World(tmp_path, model=turns, tools=[file_write, artifact_publish]) as world:
            run = await world.start("Write a report", options=WANTED)
            [artifact] = (await world.ended(run)).artifacts
            assert artifact.path == "report.md" and await world.services.blobs.get(artifact.sha256) == written.encode()
            assert artifact.title == ("Ours" if published else "report.md")
            facts = [x for x in await world.events(run) if isinstance(x, e.ArtifactPublished)]
            assert len(facts) == (2 if published and published != written else 1)

    skipping(story())


@tool(effect="once", permission="ask", recipients=lambda args: args["to"])
async def letter(
    ctx: ToolContext,
    to: Annotated[list[str], "To whom"],
    fails: Annotated[bool, "For the test"] = False,
    took: Annotated[list[str], "For the test"] = [],  # noqa: B006 - never changed
) -> Result:
    """Send a letter."""
    if fails:
        raise ToolFailed("denied", "the server takes no letters for it")
    return Result(output="sent", reached=tuple(took))


SENT = Options(deliverables=(FileCheck(path="mailto:Ann@corp.test"),), approve="auto")


@pytest.mark.proves("P37")
@pytest.mark.parametrize(
    ("calls", "ok"),
    [
        ([], False),
        ([call("letter", to=["bob@corp.test"])], False),
        ([call("letter", to=["ann@corp.test"], fails=True)], False),
        ([call("letter", to=["ann@corp.test", "bob@corp.test"], took=["bob@corp.test"])], False),
        ([call("script_run", code="letter(to=['ann@corp.test', 'bob@corp.test'], took=['bob@corp.test'])")], False),
        ([call("letter", to=["bob@corp.test", "ANN@corp.test"])], True),
        ([call("script_run", code="letter(to=['bob@corp.test'])")], False),
        ([call("script_run", code="letter(to=['ann@corp.test'], fails=True)")], False),
        ([call("script_run", code="[letter(to=[one + '@corp.test']) for one in ('bob', 'ANN')]")], True),
        ([call("script_run", code="letter(to=['ann@corp.test']); 1 / 0")], True),
    ],
)
@pytest.mark.parametrize("by_step", [False, True])
def test_a_message_counts_when_the_ledger_says_that_it_went(tmp_path: Path, calls: list[Call], ok: bool, by_step: bool) -> None:
    def script(ask: Ask) -> Line:
        works = ask.task.startswith("A step") == by_step
        return calls[ask.turn] if works and ask.turn < len(calls) else "I have written to Ann."

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[letter, script_run]) as world:
            run = await world.ended(await world.start("Write to Ann", options=SENT, plan=["A step"] if by_step else []))
            assert (run.status == "completed") == ok
            assert [(one.deliverable, one.ok) for one in run.verdicts] == [("mailto:Ann@corp.test", ok)]

    skipping(story())


@pytest.mark.proves("P37")
@pytest.mark.parametrize(("asked", "allowed"), [("bob@corp.test", "ann@corp.test"), ("ann@corp.test", "bob@corp.test")])
def test_a_message_went_to_whom_a_person_made_it_go(tmp_path: Path, asked: str, allowed: str) -> None:
    async def story() -> None:
        model = [call("letter", to=[asked]), *["I have written to Ann."] * 3]
        async with World(tmp_path, model=model, tools=[letter]) as world:
            run = await world.start("Write to Ann", options=replace(SENT, approve="ask"))
            (ask,) = (await world.asked(run)).asks
            answer = Answer(ask=ask.id, value=ALLOW, by="owner", at=world.now(), args={"to": [allowed]})
            await world.tell(run, m.Answered(id=m.answer_message_id(ask.id), sent_at=world.now(), answer=answer))
            assert [one.ok for one in (await world.ended(run)).verdicts] == [allowed == "ann@corp.test"]

    skipping(story())
