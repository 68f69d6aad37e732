"""A run as one file: exported, wiped, taken in again, and nobody sees a difference; secrets stay at home."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable

import pytest

from auteryn.errors import Invalid, NotFound, WrongState
from auteryn.policy.scrub import scrubbed, scrubbed_file, secrets_in
from auteryn.service.desk import Desk
from auteryn.service.fork import Fork
from auteryn.service.new import NewRun, drafts
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.human import ask_approval
from auteryn.tools.notes import note_write

TOOLS = [file_write, artifact_publish, ask_approval, note_write]
PLANTED = {
    "google": "AIza" + "Sy4" * 11 + "ab",
    "ours": "auteryn_0123456789ab_" + "k" * 43,
    "slack": "xoxb-1234567890-abcdefghij",
    "named": "hunter2-hunter2",
    "known": "only-the-owner-knows-this",
    "part": "one-field-of-a-variable",
}


def working(ask):
    if ask.task.startswith("step"):
        return "found it"
    if ask.turn == 0:
        return [call("note_write", section="findings", text="x"), call("file_write", path="a.txt", content="report")]
    if ask.turn == 1:
        return [call("artifact_publish", path="a.txt"), call("ask_approval", message="Go?", options=["Yes", "No"])]
    return "All is done."


async def page(desk: Desk, run: str) -> dict:
    """Everything a console shows of a run."""
    found = await desk.get(run)
    return {
        "run": found,
        "events": [event async for event in desk.events(run)],
        "logs": await desk.logs(run, "debug"),
        "children": (await desk.children(run)).runs,
        "asks": await desk.asks(run, open_only=False),
        "notes": await desk.scratchpad(run),
        "progress": await desk.progress(run),
        "figures": (await desk.metrics(run), await desk.credits(run)),
        "artifacts": [(one, await desk.artifact(run, one.id)) for one in await desk.artifacts(run)],
        "listed": [one.id for one in (await desk.runs()).runs],
    }


@pytest.mark.proves("P35", "P37", "P38", "P40")
def test_exported_wiped_and_taken_in_again_every_page_is_the_same(tmp_path):
    async def story() -> None:
        async with World(tmp_path / "one", model=working, tools=TOOLS) as world:
            desk = Desk(world.host.engine)
            run = (await desk.create(NewRun(input="Work", mode="deep", include_thoughts=True))).id
            await desk.answer((await world.asked(run)).asks[0].id, "Yes")
            await world.ended(run)
            before, bundle = await page(desk, run), await desk.export(run)
            await desk.erase(run)
            with pytest.raises(NotFound):
                await desk.get(run)
            for _ in range(2):
                assert (await desk.take_in(bundle)).id == run
            assert await page(desk, run) == before
            assert await desk.export(run)
        async with World(tmp_path / "two", model=working, tools=TOOLS) as elsewhere:
            desk = Desk(elsewhere.host.engine, "bob")
            assert (await desk.take_in(bundle)).owner == "bob"
            after = await page(desk, run)
            assert [event.data for event in after["events"]] == [event.data for event in before["events"]]
            fork = await desk.fork(run, Fork(message="Once more"))
            assert (await elsewhere.ended(fork.id)).result == "All is done."
            with pytest.raises(WrongState, match="another run"):
                await Desk(elsewhere.host.engine, "eve").take_in(bundle)

    skipping(story())


def test_a_plan_comes_with_its_steps_and_what_had_not_ended_is_cancelled_where_it_comes_to(tmp_path):
    async def story() -> None:
        async with World(tmp_path / "one", model=working, tools=TOOLS) as world:
            desk = Desk(world.host.engine)
            plan = (await desk.create(NewRun(steps=drafts([{"description": "step 1"}, {"description": "step 2"}])))).id
            await world.ended(plan)
            open_one = (await desk.create(NewRun(input="Work", mode="deep"))).id
            await world.asked(open_one)
            bundles = [await desk.export(plan), await desk.export(open_one)]
            before = await page(desk, plan)
            with pytest.raises(WrongState, match="belongs to"):
                await desk.export((await desk.children(plan)).runs[0].id)
        async with World(tmp_path / "two", model=working, tools=TOOLS) as elsewhere:
            desk = Desk(elsewhere.host.engine)
            for bundle in bundles:
                await desk.take_in(bundle)
            after = await page(desk, plan)
            assert {name: after[name] for name in after if name != "listed"} == {n: before[n] for n in before if n != "listed"}
            ended = await desk.get(open_one)
            assert (ended.status, ended.asks) == ("cancelled", ()) and await desk.asks() == []
            assert await elsewhere.services.store.due(elsewhere.now()) == []

    skipping(story())


@pytest.mark.proves("L15")
def test_planted_secrets_are_in_no_bundle_and_everything_else_is(tmp_path):
    said = f"{PLANTED['google']} and {PLANTED['ours']}, password: {PLANTED['named']}; {PLANTED['known']} {PLANTED['part']}"

    def leaking(ask):
        if ask.turn == 0:
            note = call("note_write", section="keys", text=said)
            return [note, call("file_write", path="k.txt", content=f"{PLANTED['slack']} harmless")]
        return call("artifact_publish", path="k.txt") if ask.turn == 1 else f"It was {said}, and harmless."

    async def story() -> None:
        async with World(tmp_path, model=leaking, tools=TOOLS) as world:
            desk = Desk(world.host.engine)
            run = (await desk.create(NewRun(input=f"Keep {said}", mode="deep"))).id
            await world.ended(run)
            from auteryn.service.access import Access
            from auteryn.service.bundle import export

            hook = json.dumps({"url": "https://hook.test", "secret": PLANTED["part"]})
            environ = {"AUTERYN_SECRET_X": PLANTED["known"], "AUTERYN_WEBHOOK_X": hook, "HOME": "/"}
            bundle = await export(Access(world.host.engine, "local"), run, environ)
            with zipfile.ZipFile(io.BytesIO(bundle)) as zipped:
                inside = b"\n".join(zipped.read(name) for name in zipped.namelist())
                assert json.loads(zipped.read("manifest.json"))["secrets"] >= 5
            assert [name for name, secret in PLANTED.items() if secret.encode() in inside] == []
            assert b"harmless" in inside
            await desk.erase(run)
            await desk.take_in(bundle)
            [artifact] = await desk.artifacts(run)
            body = await desk.artifact(run, artifact.id)
            assert body.endswith(b"* harmless") and len(body) == artifact.size_bytes

    skipping(story())


@pytest.mark.proves("L15")
def test_a_secret_is_struck_out_of_an_office_file_and_of_json_that_spells_it_otherwise():
    office, secret = io.BytesIO(), 'pa"ss\\wörd-1'
    with zipfile.ZipFile(office, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("xl/sharedStrings.xml", f"<t>{PLANTED['slack']} harmless {secret}</t>" * 9)
        made.writestr("xl/media/a.png", b"\x89PNG")
    clean, found = scrubbed_file(office.getvalue(), [secret])
    with zipfile.ZipFile(io.BytesIO(clean)) as read:
        text = read.read("xl/sharedStrings.xml")
        assert read.testzip() is None and read.read("xl/media/a.png") == b"\x89PNG"
    assert found == 18 and len(clean) == len(office.getvalue())
    assert PLANTED["slack"].encode() not in text and secret.encode() not in text and text.count(b"harmless") == 9
    assert scrubbed_file(clean, [secret]) == (clean, 0)
    for broken in (office.getvalue()[:-9], b"PK and no zip"):
        assert scrubbed_file(broken) == (broken, 0)
    said, found = scrubbed(json.dumps({"said": f"it is {secret}"}, ensure_ascii=False).encode(), [secret])
    assert found == 1 and json.loads(said)["said"].strip("*") == "it is "


def test_striking_out_leaves_json_and_ordinary_words_alone():
    text = json.dumps({"api_key": "abcdefgh1234", "note": 'the "password": is nothing', "tokens": 12, "n": "sk-short"}).encode()
    clean, found = scrubbed(text)
    assert (json.loads(clean)["api_key"], found) == ("*" * 12, 1)
    assert json.loads(clean)["n"] == "sk-short" and len(clean) == len(text)
    assert scrubbed(b"secretary of state, passwords: none") == (b"secretary of state, passwords: none", 0)
    assert scrubbed(b"Authorization: Bearer abc.def-123456")[0] == b"Authorization: Bearer " + b"*" * 14
    assert scrubbed(b"at postgres://ann:pass@db:5432/x, http://a.test:80/b@c") == (
        b"at postgres://ann:****@db:5432/x, http://a.test:80/b@c",
        1,
    )


def test_what_a_variable_holds_is_known_in_parts_too():
    hook = json.dumps({"url": "https://a.test/in", "secret": "0123456789abcdef", "retries": 3})
    assert secrets_in(hook) == [hook, "https://a.test/in", "0123456789abcdef"]
    assert secrets_in("xoxb-1") == ["xoxb-1"] and secrets_in("12345678") == ["12345678"]


@pytest.mark.proves("L15")
def test_what_is_no_bundle_is_refused_and_leaves_nothing(tmp_path):
    async def story() -> None:
        async with World(tmp_path / "one", model=working, tools=TOOLS) as world:
            desk = Desk(world.host.engine)
            run = (await desk.create(NewRun(steps=drafts([{"description": "step 1"}])))).id
            await world.ended(run)
            whole = await desk.export(run)

        def changed(name: str, change) -> bytes:
            return rewritten(whole, lambda one, body: change(body) if one.startswith(name) else body)

        journal = f"runs/{run}.jsonl"
        wrong = [
            *(b"", b"PK", whole[: len(whole) // 2], b"x" * 1_000),
            changed("manifest.json", lambda body: None),
            changed("manifest.json", lambda body: b"[]"),
            changed("manifest.json", lambda body: body.replace(b'"format": 1', b'"format": 2')),
            changed("manifest.json", lambda body: body.replace(run.encode(), b"run_other")),
            changed(journal, lambda body: None),
            changed(journal, lambda body: body[:-20]),
            changed(journal, lambda body: b"\n".join(body.split(b"\n")[1:])),
            changed(journal, lambda body: b"\n".join([*body.split(b"\n"), body.split(b"\n")[-1]])),
            changed("notes", lambda body: b"{}"),
        ]
        async with World(tmp_path / "two", model=working) as elsewhere:
            desk = Desk(elsewhere.host.engine)
            for number, raw in enumerate(wrong):
                with pytest.raises(Invalid, match="bundle"):
                    await desk.take_in(raw)
                assert (await elsewhere.services.store.runs(roots_only=False)).runs == (), number
            assert (await desk.take_in(whole)).status == "completed"

    skipping(story())


def rewritten(bundle: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The bundle with other bodies; a member whose body is None is left out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if (body := change(name, old.read(name))) is not None:
                new.writestr(name, body)
    return out.getvalue()


@pytest.mark.proves("L15")
def test_a_bundle_that_would_make_a_run_nobody_can_look_at_is_refused(tmp_path):
    """Its pages would break: a file or a run that is not there, a note that is none, a time that compares with no other."""

    async def story() -> None:
        async with World(tmp_path / "one", model=working, tools=TOOLS) as world:
            desk = Desk(world.host.engine)
            run = (await desk.create(NewRun(steps=drafts([{"description": "Work"}])))).id
            [step] = (await world.until(run, lambda found: bool(found.shares))).shares
            await world.asked(step)
            bundle = await desk.export(run)
        wrong = {
            "holds, and is missing": lambda name, body: None if name.startswith("blobs/") else body,
            "is a run below": lambda name, body: (
                None if step in name else re.sub(rb',\s*"%s"' % step.encode(), b"", body) if "manifest" in name else body
            ),
            "does not say its zone": lambda name, body: (
                re.sub(rb'("deadline_at":"[^"]*)Z"', rb'\1"', body) if run in name and "runs/" in name else body
            ),
            "cannot be read": lambda name, body: body.replace(b'"section"', b'"heading"') if "notes/" in name else body,
        }
        async with World(tmp_path / "two", model=working, tools=TOOLS) as elsewhere:
            desk = Desk(elsewhere.host.engine)
            for said, change in wrong.items():
                with pytest.raises(Invalid, match=said):
                    await desk.take_in(rewritten(bundle, change))
                assert (await elsewhere.services.store.runs(roots_only=False)).runs == ()
                assert not await elsewhere.services.store.docs("note", run)
            assert (await desk.take_in(bundle)).status == "cancelled"

    skipping(story())


@pytest.mark.proves("L15")
@pytest.mark.parametrize("name", ["../../../outside", "..", "run_a/../../b", 'run_"\r\nSet-Cookie: a=b', "run_"])
def test_a_bundle_whose_run_is_called_like_a_way_out_is_refused(tmp_path, name):
    """A run's id names its folder: with such a one, forking would copy and erasing would remove what lies elsewhere."""

    async def story() -> None:
        async with World(tmp_path / "one", model=working, tools=TOOLS) as world:
            desk = Desk(world.host.engine)
            run = (await desk.create(NewRun(input="step 1"))).id
            await world.ended(run)
            whole, out = await desk.export(run), io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(out, "w") as new:
            for one in old.namelist():
                new.writestr(one.replace(run, name), old.read(one).replace(run.encode(), json.dumps(name)[1:-1].encode()))
        async with World(tmp_path / "two", model=working) as elsewhere:
            with pytest.raises(Invalid, match="ids of ours"):
                await Desk(elsewhere.host.engine).take_in(out.getvalue())
            assert (await elsewhere.services.store.runs(roots_only=False)).runs == ()

    skipping(story())
