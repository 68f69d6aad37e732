"""What reaches people outside, while the processes that send it are killed: counted where it arrives."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from auteryn.policy.limits import LEASE
from auteryn.schema.event import CallAnswered
from auteryn.schema.post import POST, POSTS
from auteryn.service.notify import CLAIM
from auteryn.testing.scripted import Ask, Line, call
from emulators.local import HANG, Rig, Threaded

PAST_LEASE, PAST_CLAIM = LEASE + timedelta(seconds=1), CLAIM + timedelta(seconds=1)


@pytest.mark.proves("F9", "L6", "P73")
def test_a_slice_killed_while_it_sends_sends_nothing_twice(local_cloud: Threaded) -> None:
    """The mail has arrived and nobody was told: it is reported unknown. The post is looked for, and found."""

    async def story(rig: Rig) -> None:
        def script(ask: Ask) -> Line:
            match ask.turn:
                case 0:
                    return call("email_send", to=["ann@example.com"], subject=mark, body_markdown="The prices changed.")
                case 1:
                    return call("slack_post", channel="#alerts", text=mark)
                case _:
                    return "told"

        mark = rig.script(script)
        with rig.receivers.holding("mail") as mail, rig.receivers.holding("post") as post:
            run = await rig.create(input=f"{mark} Tell them", mode="deep", approve="auto")
            for held in (mail, post):
                await held.arrived()
                for one in rig.executions_of(run):
                    rig.cloud.jobs.kill(one)
                held.let_go()
                await rig.quiet([run])
                rig.cloud.clock.jump(PAST_LEASE)
            assert (await rig.ended(run))["result"] == "told"

        assert [one["Subject"] for one in rig.receivers.mails].count(mark) == 1
        assert [one["text"] for one in rig.receivers.slack.posts].count(mark) == 1
        answers = [e for entry in await rig.store.journal(run) for e in entry.events if isinstance(e, CallAnswered)]
        assert [(one.tool, one.error) for one in answers] == [("email_send", "ambiguous"), ("slack_post", None)]

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("L3", "P81")
def test_notifications_arrive_though_dispatch_is_killed_while_it_sends_them(local_cloud: Threaded) -> None:
    """A mail perhaps twice, and then its two copies are one to every mailbox: their Message-ID is the same. A post once."""

    async def story(rig: Rig) -> None:
        mark = rig.script(lambda _: "done")
        notify = [
            {"kind": "email", "to": "bob@example.com", "on": ["done"]},
            {"kind": "slack", "to": "#alerts", "on": ["done"]},
        ]
        with rig.receivers.holding("mail") as mail, rig.receivers.holding("post") as post:
            run = await rig.create(input=f"{mark} Do it", mode="deep", notify=notify)
            await asyncio.gather(mail.arrived(), post.arrived())
            await rig.cloud.stop("dispatch", 9)
        await rig.cloud.start("dispatch")
        async with asyncio.timeout(HANG):
            while [doc for doc in await rig.store.docs(POST, POSTS) if doc.body["run"] == run]:
                if not rig.cloud.at_work:
                    rig.cloud.clock.jump(PAST_CLAIM)
                await asyncio.sleep(0.1)
        assert (await rig.ended(run))["result"] == "done"

        mails = [one for one in rig.receivers.mails if one["To"] == "bob@example.com" and mark in one["Subject"]]
        assert len(mails) == 2 and len({one["Message-ID"] for one in mails}) == 1
        assert sum(mark in one["text"] for one in rig.receivers.slack.posts) == 1

    local_cloud.do(story(local_cloud.rig))
