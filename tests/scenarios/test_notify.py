"""People and programs are told, once for each thing, whatever crashes in between."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from auteryn.api.door import Door
from auteryn.policy.shown import TURNS
from auteryn.runtime.dispatch import sweep
from auteryn.schema.change import Doc
from auteryn.schema.human import People
from auteryn.schema.post import POST, POSTS, UNDELIVERED
from auteryn.schema.run import Channel, Options
from auteryn.service.channels import channels
from auteryn.service.desk import Desk
from auteryn.service.notify import CLAIM
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.human import ask_approval, notify
from auteryn.tools.time import wait
from auteryn.tools.tool import tool
from auteryn.tools.webhook import signature
from mailed import mail_server
from unit.tools.fault_server import Asked, FaultServer, Reply

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
QUESTION = call("ask_approval", message="Delete <b>1,000</b> records?", options=["Yes, proceed", "No"], timeout="3d")


class Mailbox:
    """Takes mail; says how it is delivered when asked."""

    def __init__(self) -> None:
        self.mails = list[EmailMessage]()
        self.refuse = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuse:
            self.refuse -= 1
            return "451 try later"
        self.mails.append(cast("EmailMessage", email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        return [str(one["Subject"]) for one in self.mails]


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    box = Mailbox()
    with mail_server(box) as port:
        monkeypatch.setenv("AUTERYN_SMTP_URL", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("AUTERYN_MAIL_FROM", "Auteryn <agent@example.org>")
        yield box


def on_time(world: World) -> World:
    """Time passes as it really does while a notification is on a real socket."""
    engine = world.host.engine
    real = engine.deliver
    assert real

    async def deliver(post: str) -> None:
        loop = cast("Any", asyncio.get_running_loop())
        with loop.as_it_passes():
            await real(post)

    engine.deliver = deliver
    return world


class Hook:
    """A receiver that drops repeats, and answers as it is told."""

    def __init__(self, site: FaultServer) -> None:
        self.taken = dict[str, Any]()
        self.asked = list[Asked]()
        self.fail = 0
        site.on("/hook", self.answer)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if self.fail:
            self.fail -= 1
            return Reply(status=503)
        self.taken.setdefault(asked.headers["webhook-id"], asked.json)
        return Reply(status=204)

    @property
    def types(self) -> list[str]:
        return [one["type"] for one in self.taken.values()]


@pytest.fixture
def site() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.close()


@pytest.fixture
def hook(site: FaultServer) -> Hook:
    return Hook(site)


ANN = Options(notify=(Channel(kind="email", to="ann@example.com"),))


@pytest.mark.proves("P81", "P74")
def test_mail_comes_on_start_daily_when_a_person_is_asked_and_when_it_is_done(tmp_path: Path, mailbox: Mailbox) -> None:
    async def story() -> None:
        script = [call("wait", until="60h"), QUESTION, call("notify", message="The records are gone."), "all done"]
        async with World(tmp_path, model=script, tools=[wait, ask_approval, notify]) as world:
            run = await world.start("Clean the records", options=ANN)
            await world.asked(run)
            await world.after(HOUR)
            await world.answer(run, "Yes, proceed")
            await world.ended(run)
            await world.after(HOUR)
        told = [subject.split(":")[0] for subject in mailbox.subjects]
        assert told[:4] == ["Auteryn has begun", "Auteryn, day 1", "Auteryn, day 2", "Auteryn needs an answer"]
        assert sorted(told[4:]) == ["Auteryn has news", "Auteryn is done"]
        news = mailbox.mails[told.index("Auteryn has news")]
        assert "The records are gone." in cast("EmailMessage", news.get_body(("plain",))).get_content()
        done = mailbox.mails[told.index("Auteryn is done")]
        plain = cast("EmailMessage", done.get_body(("plain",))).get_content()
        assert "all done" in plain and run in plain
        assert (
            "It waits until 2026-01-07 21:00 UTC" in cast("EmailMessage", mailbox.mails[1].get_body(("plain",))).get_content()
        )

    skipping(story())


@pytest.mark.proves("P74")
def test_the_daily_digest_is_never_doubled_and_never_made_up_for(tmp_path: Path, mailbox: Mailbox) -> None:
    """Seven days, restarts at every odd hour, one of them after two days of darkness: one digest a day, one for the dark."""

    async def story() -> None:
        world = World(tmp_path, model=[call("wait", until="132h"), "done"], tools=[wait])
        await world.open()
        run = await world.start("Watch", options=ANN)
        for hours in (5, 19.5, 1, 23, 0.9):
            await world.after(timedelta(hours=hours))
            await world.reopen(timedelta(minutes=7))
        await world.reopen(2 * DAY)
        await world.ended(run)
        await world.after(HOUR)
        await world.close()

    skipping(story())
    days = [subject.split(":")[0] for subject in mailbox.subjects if "day" in subject]
    assert days == ["Auteryn, day 1", "Auteryn, day 2", "Auteryn, day 4", "Auteryn, day 5"]
    assert len({one["Message-ID"] for one in mailbox.mails}) == len(mailbox.mails)


@pytest.mark.proves("P65")
def test_reminders_come_on_their_grid_until_somebody_answers_and_only_where_somebody_is_notified(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    async def story(options: Options) -> int:
        async with World(tmp_path / str(len(options.notify)), model=[QUESTION, "done"], tools=[ask_approval]) as world:
            run = await world.start("Clean", options=options)
            await world.asked(run)
            await world.after(timedelta(hours=30))
            slices = (await world.run(run)).slice
            await world.answer(run, "No")
            await world.ended(run)
            await world.after(HOUR)
            return slices

    often = Options(
        notify=(Channel(kind="email", to="ann@example.com", on=("waiting",)),), people=People(remind_every=12 * HOUR)
    )
    skipping(story(often))
    assert [subject.split(":")[0] for subject in mailbox.subjects] == [
        "Auteryn needs an answer",
        "Auteryn still needs an answer",
        "Auteryn still needs an answer",
    ]
    assert skipping(story(Options())) == 1, "without anybody to remind, waiting starts no slice"


@pytest.mark.proves("L14", "P60")
def test_the_link_in_the_mail_answers_the_question(tmp_path: Path, mailbox: Mailbox) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[QUESTION, "done"], tools=[ask_approval], public_url="http://agents.test") as world:
            run = await world.start("Clean", options=ANN)
            await world.asked(run)
            await world.after(HOUR)
            mail = next(one for one in mailbox.mails if "needs an answer" in str(one["Subject"]))
            html = cast("EmailMessage", mail.get_body(("html",))).get_content()
            assert "&lt;b&gt;1,000&lt;/b&gt;" in html and "<b>" not in html
            [link] = re.findall(r'href="(http://agents\.test/a/[^"]+)">Yes, proceed</a>', html)
            door = Door(world.host.engine, secure=False)
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(door), base_url="http://agents.test") as anybody:
                assert (await anybody.get(link)).status_code == 200
                assert (await world.run(run)).asks, "looking at it answers nothing"
                assert (await anybody.post(link)).status_code == 200
            assert (await world.ended(run)).status == "completed"
            said = [line.message for line in await Desk(world.host.engine).logs(run) if line.kind == "ask_answered"]
            assert said == [said[0]] and "answered by ann@example.com: Yes, proceed" in said[0]

    skipping(story())


@pytest.mark.proves("P81")
def test_webhooks_are_signed_in_order_and_told_again_until_they_are_taken(
    tmp_path: Path, site: FaultServer, hook: Hook
) -> None:
    async def story() -> str:
        def script(ask: Any) -> Any:
            return QUESTION if ask.task == "Clean" and ask.turn == 0 else "done"

        async with World(tmp_path, model=script, tools=[ask_approval], egress=site.egress()) as world:
            desk = Desk(on_time(world).host.engine)
            endpoint, secret = await desk.add_webhook(site.url("/hook"))
            assert secret.startswith("whsec_") and secret not in str([one.id for one in await desk.webhooks()])
            hook.fail = 2
            run = await world.start("Clean")
            await world.asked(run)
            await world.after(HOUR)
            await world.answer(run, "No")
            await world.ended(run)
            await world.after(HOUR)
            for asked in hook.asked:
                stamp = int(asked.headers["webhook-timestamp"])
                assert asked.headers["webhook-signature"] == signature(secret, asked.headers["webhook-id"], stamp, asked.body)
                assert asked.headers["idempotency-key"] == asked.headers["webhook-id"]
                assert b"records" not in asked.body, "type and ids only"
            _, fresh = await desk.rotate_webhook(endpoint.id)
            await world.ended(await world.start("Again"))
            await world.after(HOUR)
            last = hook.asked[-1]
            stamp, signed = int(last.headers["webhook-timestamp"]), last.headers["webhook-signature"].split()
            assert signed == [signature(one, last.headers["webhook-id"], stamp, last.body) for one in (fresh, secret)]
            await desk.remove_webhook(endpoint.id)
            before = len(hook.asked)
            await world.ended(await world.start("Unheard"))
            await world.after(HOUR)
            assert len(hook.asked) == before
            return run

    run = skipping(story())
    of_run = [one["type"] for one in hook.taken.values() if one["data"]["run"] == run]
    assert sorted(of_run) == ["run.completed", "run.resumed", "run.started", "run.waiting"]
    assert len(hook.asked) == len(hook.taken) + 2


@pytest.mark.proves("P81")
def test_a_plans_steps_budget_and_deliverables_are_told_of(tmp_path: Path, site: FaultServer, hook: Hook) -> None:
    from auteryn.schema.run import FileCheck
    from auteryn.tools.files import file_write
    from auteryn.tools.tool import tool

    @tool(effect="read", cost=160_000)
    async def buy() -> str:
        """Buy something dear."""
        return "bought"

    def script(ask: Any) -> Any:
        if ask.task.startswith("step"):
            return "ok"
        if ask.turn == 0:
            return call("file_write", path="out.csv", content="a,b\n1,2\n")
        return call("buy") if ask.turn == 1 else "done"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[file_write, buy], egress=site.egress()) as world:
            await Desk(on_time(world).host.engine).add_webhook(
                site.url("/hook"), ("step.completed", "budget.reached", "deliverable.verified")
            )
            options = Options(deliverables=(FileCheck(path="out.csv"),))
            await world.ended(await world.start("Do it", plan=["step one", "step two"], credits=200_000, options=options))
            await world.after(HOUR)

    skipping(story())
    found = sorted((one["type"], one["data"].get("subject", "")) for one in hook.taken.values())
    assert found == [
        ("budget.reached", ""),
        ("deliverable.verified", "out.csv"),
        ("step.completed", "1"),
        ("step.completed", "2"),
    ]


@pytest.mark.proves("P81")
def test_a_question_that_goes_to_the_next_person_is_told_of_each_time(tmp_path: Path, site: FaultServer, hook: Hook) -> None:
    people = People(approvers=("ann",), timeout=HOUR, on_timeout="escalate", escalate_to=("bob", "eve"))

    async def story() -> None:
        async with World(tmp_path, model=[QUESTION, "done"], tools=[ask_approval], egress=site.egress()) as world:
            await Desk(on_time(world).host.engine).add_webhook(site.url("/hook"), ("run.waiting",))
            run = await world.start("Clean", options=Options(people=people))
            (ask,) = (await world.asked(run)).asks
            await world.after(3 * HOUR)
            assert [one["data"]["subject"] for one in hook.taken.values()] == [ask.id] * 3

    skipping(story())


@pytest.mark.proves("P81")
def test_a_cancelled_run_is_told_of_to_programs_and_people(
    tmp_path: Path, site: FaultServer, hook: Hook, mailbox: Mailbox
) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[QUESTION], tools=[ask_approval], egress=site.egress()) as world:
            await Desk(on_time(world).host.engine).add_webhook(site.url("/hook"), ("run.cancelled", "run.failed"))
            run = await world.start("Clean", options=ANN)
            await world.asked(run)
            await world.cancel(run)
            await world.ended(run)
            await world.after(HOUR)

    skipping(story())
    assert hook.types == ["run.cancelled"]
    told = sorted(subject.split(":")[0] for subject in mailbox.subjects)  # under way at once, they arrive in any order
    assert told == ["Auteryn has begun", "Auteryn needs an answer", "Auteryn was stopped"]


@pytest.mark.proves("P81")
def test_steps_of_a_second_plan_are_told_of_under_ids_of_their_own(tmp_path: Path, site: FaultServer, hook: Hook) -> None:
    """Whoever takes a post twice knows it by its id: with the first plan's ids the second plan's would be thrown away."""
    from auteryn.tools.plan import plan_create

    def script(ask: Any) -> Any:
        if ask.task.startswith("step") or ask.turn == 2:
            return "done"
        return call("plan_create", goal="all", steps=[{"description": "step one"}])

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[plan_create], egress=site.egress()) as world:
            await Desk(on_time(world).host.engine).add_webhook(site.url("/hook"), ("step.completed",))
            assert (await world.ended(await world.start("Plan twice"))).status == "completed"
            await world.after(HOUR)

    skipping(story())
    assert [one["data"]["subject"] for one in hook.taken.values()] == ["1", "1"]


@pytest.mark.proves("L2", "P81")
def test_a_notification_survives_the_process_that_owed_it_and_is_known_by_its_id(
    tmp_path: Path, site: FaultServer, hook: Hook
) -> None:
    """The receiver is dark while the run ends and the process goes; whoever opens the home next tells it."""

    async def story() -> None:
        hook.fail = 10**6
        world = World(tmp_path, model=["done"], egress=site.egress())
        await world.open()
        await Desk(on_time(world).host.engine).add_webhook(site.url("/hook"), ("run.completed",))
        await world.ended(await world.start("Do it"))
        await world.close()
        assert hook.taken == {}
        hook.fail = 0
        await world.open(hosting=False)
        on_time(world)
        await world.host.start()
        await world.after(HOUR)
        await world.close()

    skipping(story())
    assert hook.types == ["run.completed"]
    assert len({one.headers["webhook-id"] for one in hook.asked}) == 1


@pytest.mark.proves("L3", "P81")
def test_of_two_who_find_a_try_that_was_cut_off_one_makes_the_next(tmp_path: Path, site: FaultServer, hook: Hook) -> None:
    """Its task comes again, and so does the sweep's: both see that nobody is at it any more."""

    async def story() -> None:
        async with World(tmp_path, model=["done"], egress=site.egress()) as world:
            engine = on_time(world).host.engine
            deliver, engine.deliver = engine.deliver, None
            await Desk(engine).add_webhook(site.url("/hook"), ("run.completed",))
            await world.ended(await world.start("Do it"))
            (post,) = await engine.services.store.docs(POST, POSTS)
            cut_off = Doc(kind="claim", id=f"{post.id}.0", scope=POSTS, body=None, at=world.now())
            await engine.services.store.put(cut_off)
            await world.after(CLAIM)
            assert deliver
            await asyncio.gather(*(deliver(post.id) for _ in range(5)))
            assert await engine.services.store.docs(POST, POSTS) == []
            assert await engine.services.store.docs("claim", POSTS) == []

    skipping(story())
    assert len(hook.asked) == 1


@pytest.mark.proves("L3", "P81")
def test_a_try_that_ends_between_the_look_and_the_claim_of_another_is_not_made_again(
    tmp_path: Path, site: FaultServer, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that was taken nor one that was refused, whose time has not come; nor does a sweep bring a post back."""

    async def story() -> None:
        async with World(tmp_path, model=["done"], egress=site.egress()) as world:
            engine = on_time(world).host.engine
            deliver, engine.deliver = engine.deliver, None
            store = engine.services.store
            await Desk(engine).add_webhook(site.url("/hook"), ("run.completed",))
            await world.ended(await world.start("Do it"))
            (post,) = await store.docs(POST, POSTS)
            assert deliver
            real_doc, real_docs = store.doc, store.docs

            async def meanwhile() -> None:
                with monkeypatch.context() as undone:
                    undone.setattr(store, "doc", real_doc)
                    await deliver(post.id)

            async def doc(kind: str, doc_id: str) -> Doc | None:
                found = await real_doc(kind, doc_id)
                await meanwhile()
                return found

            async def docs(kind: str, scope: str, *, limit: int | None = None) -> Sequence[Doc]:
                found = await real_docs(kind, scope, limit=limit)
                if kind == POST:
                    await meanwhile()
                return found

            hook.fail = 1
            with monkeypatch.context() as watched:
                watched.setattr(store, "doc", doc)
                await deliver(post.id)
            assert len(hook.asked) == 1
            await world.after(HOUR)
            with monkeypatch.context() as watched:
                watched.setattr(store, "docs", docs)
                await sweep(engine)
            assert len(hook.asked) == 2 and await real_docs(POST, POSTS) == []
            assert await real_docs("claim", POSTS) == []

            await store.put(post)
            with monkeypatch.context() as watched:
                watched.setattr(store, "doc", doc)
                await deliver(post.id)
            assert len(hook.asked) == 3 and await real_docs("claim", POSTS) == []

    skipping(story())
    assert hook.types == ["run.completed"]


@pytest.mark.proves("P74", "P81", "L2", "L3")
def test_a_kill_at_any_point_loses_no_notification_and_a_repeat_is_known_by_its_id(
    tmp_path: Path, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A wait over two days, then a question; killed before and after durable writes and mails, and taken up again."""
    from auteryn.testing.crash import Fate, Story
    from auteryn.testing.scenarios import Scenario

    caplog.set_level("CRITICAL")  # what is cut off says so, some hundred times here

    def script(ask: Any) -> Any:
        return (call("wait", until="49h"), QUESTION, "done")[ask.turn]

    async def play(world: World) -> str:
        run = await world.start("Watch", options=ANN, key="watched")
        asked = await world.asked(run)
        if not asked.terminal:
            await world.after(HOUR)
            await world.answer(run, "No")
        await world.ended(run)
        await world.after(HOUR)
        return run

    scenario = Scenario("told", "a run whose owner is told", script, play, (wait, ask_approval))
    usual = Fate()
    Story(scenario, tmp_path / "usual").through([usual])
    expected = sorted(mailbox.subjects)
    assert len(expected) == 5
    for at in range(0, len(usual.points), 7):  # odd: kills before and after alternate
        mailbox.mails.clear()
        Story(scenario, tmp_path / str(at)).through([Fate(die_at=at)])
        different = {str(one["Message-ID"]): str(one["Subject"]) for one in mailbox.mails}
        assert sorted(different.values()) == expected, f"killed {at} {usual.points[at]}"
        assert len(mailbox.mails) <= len(expected) + 1, "one kill repeats one mail at most"


@asynccontextmanager
async def untold(tmp_path: Path, site: FaultServer, hook: Hook, after: timedelta) -> AsyncGenerator[tuple[World, Desk, str]]:
    """A run that ended so long ago, of which a receiver that takes nothing was to be told."""
    hook.fail = 10**6
    async with World(tmp_path, model=["done"], egress=site.egress()) as world:
        desk = Desk(on_time(world).host.engine)
        await desk.add_webhook(site.url("/hook"), ("run.completed",))
        run = await world.start("Do it")
        await world.ended(run)
        await world.after(after)
        yield world, desk, run


def test_what_nobody_has_taken_yet_is_said_until_somebody_takes_it(tmp_path: Path, site: FaultServer, hook: Hook) -> None:
    async def story() -> None:
        async with untold(tmp_path, site, hook, HOUR) as (world, desk, run):
            [told] = (await desk.health(run)).undelivered
            assert told.startswith("run.completed: ") and "503" in told and "; it is tried again at " in told
            hook.fail = 0
            await world.after(DAY)
            assert hook.types == ["run.completed"]
            assert (await desk.health(run)).undelivered == ()

    skipping(story())


def test_what_nobody_takes_for_a_day_is_laid_aside_and_said(tmp_path: Path, site: FaultServer, hook: Hook) -> None:
    async def story() -> None:
        async with untold(tmp_path, site, hook, 3 * DAY) as (_, desk, run):
            assert len(hook.asked) == 9
            [told] = (await desk.health(run)).undelivered
            assert told.startswith("run.completed: ") and "503" in told
            assert "again" not in told

    skipping(story())


@pytest.mark.proves("P37")
@pytest.mark.parametrize("after", [HOUR, 3 * DAY], ids=["on its way", "laid aside"])
def test_what_is_still_to_be_told_of_a_run_goes_with_it(
    tmp_path: Path, site: FaultServer, hook: Hook, after: timedelta
) -> None:
    async def story() -> None:
        async with untold(tmp_path, site, hook, after) as (world, desk, run):
            store = world.services.store
            assert [*await store.docs(POST, POSTS), *await store.docs(UNDELIVERED, run)]
            assert (await desk.erase(run)).leftovers == ()
            assert [*await store.docs(POST, POSTS), *await store.docs(UNDELIVERED, run)] == []
            asked = len(hook.asked)
            await world.after(2 * DAY)
            assert len(hook.asked) == asked

    skipping(story())


def test_a_mail_server_that_says_later_gets_it_later(tmp_path: Path, mailbox: Mailbox) -> None:
    async def story() -> None:
        mailbox.refuse = 3
        async with World(tmp_path, model=["done"]) as world:
            await world.ended(await world.start("Do it", options=Options(notify=channels("mailto:ann@example.com"))))
            await world.after(DAY)

    skipping(story())
    assert sorted(subject.split(":")[0] for subject in mailbox.subjects) == ["Auteryn has begun", "Auteryn is done"]


@pytest.fixture
def posted(site: FaultServer, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Slack was told."""
    from auteryn.tools import slack

    posted = list[dict[str, Any]]()

    def post(asked: Asked) -> Reply:
        posted.append(asked.json)
        return Reply(json.dumps({"ok": True, "channel": "C0123456", "ts": "1.0"}), headers={"content-type": "application/json"})

    site.on("/api/chat.postMessage", post)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setattr(slack, "API", site.url("/api/"))
    return posted


HOSTILE = "Pay \u202emoc.live\u202c\n```\n[all is well](https://evil.test) <https://evil.test|Yes> <!channel>\n````\n"


@tool(effect="once", permission="ask", preview=lambda args, files: str(args["to"]))
async def pay(to: str) -> str:
    """Pay somebody."""
    return to


@pytest.mark.proves("L14", "P81")
def test_what_a_mail_or_chat_asks_about_is_shown_as_it_is(
    tmp_path: Path, mailbox: Mailbox, site: FaultServer, posted: list[dict[str, Any]]
) -> None:
    """No mark in it turns words round, and nothing in it leaves its place to be a link or a call to everybody."""

    async def story() -> None:
        async with World(tmp_path, model=[call("pay", to=HOSTILE)], tools=[pay], egress=site.egress()) as world:
            on_time(world)
            told = [{"address": one, "on": ["waiting"]} for one in ("slack:#alerts", "mailto:ann@example.com")]
            run = await world.start("Pay \u202eeno on", options=Options(notify=channels(told)))
            await world.asked(run)
            await world.after(HOUR)

    skipping(story())
    [mail], [message] = mailbox.mails, posted
    html = cast("EmailMessage", mail.get_body(("html",))).get_content()
    assert "href" not in html and html.count("Pay \ufffdmoc.live\ufffd") == 1 and r"Pay \u202emoc.live\u202c" in html
    assert "Pay \ufffdmoc.live\ufffd" in message["text"] and r"Pay \u202emoc.live\u202c" in message["text"]
    assert "<" not in message["text"] and message["text"].count("```") == 4
    for text in (html, str(mail["Subject"]), cast("EmailMessage", mail.get_body(("plain",))).get_content(), message["text"]):
        assert not set(text) & set(TURNS)


@pytest.mark.proves("P81")
def test_slack_is_told_without_waking_the_channel(tmp_path: Path, site: FaultServer, posted: list[dict[str, Any]]) -> None:
    async def story() -> None:
        question = call("ask_approval", message="<!channel> delete?", options=["Yes", "<https://evil.test|No>"])
        async with World(
            tmp_path, model=[question, "done"], tools=[ask_approval], egress=site.egress(), public_url="https://agents.test"
        ) as world:
            on_time(world)
            run = await world.start("Clean", options=Options(notify=channels({"address": "slack:#alerts", "on": ["waiting"]})))
            await world.asked(run)
            await world.after(HOUR)

    skipping(story())
    [message] = posted
    assert (
        message["channel"] == "#alerts" and "<!channel>" not in message["text"] and "<https://evil.test" not in message["text"]
    )
    assert message["text"].count("<https://agents.test/a/") == 2
