"""Who may answer, how many must agree, what silence means, and what runs after an answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from auteryn.errors import Invalid, NotAllowed, RunFailed, WrongState
from auteryn.policy.gates import ALLOW, ALLOW_FOR_RUN, DENY, DENY_FOR_RUN
from auteryn.schema import event as e
from auteryn.schema.human import People
from auteryn.service.asks import Question
from auteryn.service.new import NewRun
from auteryn.testing.clock import START, SkippingClock, skipping
from auteryn.testing.scripted import call
from auteryn.tools.human import ask_approval
from auteryn.tools.time import wait
from auteryn.tools.tool import ToolContext, tool

HOUR = timedelta(hours=1)
SENT = list[str]()


@pytest.fixture(autouse=True)
def nothing_sent():
    SENT.clear()


@tool(
    effect="keyed",
    permission="ask1",
    target=lambda args: args["to"],
    preview=lambda args, files: f"to {args['to']}: {files.read('letter.txt').decode()}",
)
async def letter(ctx: ToolContext, to: str) -> str:
    """Send the letter."""
    SENT.append(f"{to}: {ctx.files.read('letter.txt').decode()}")
    return "sent"


@tool(effect="keyed", permission="ask", target=lambda args: args["table"])
async def drop(table: str, hard: bool = False) -> str:
    """Drop a table."""
    SENT.append(f"{table} {hard}")
    return f"{table} is gone"


async def asked(desk, run: str, clock: SkippingClock):
    """The open questions of a run that waits."""
    await clock.sleep(timedelta(minutes=1))
    return await desk.asks(run)


async def facts(desk, run: str, kind):
    journal = await desk._access.services.store.journal(run)
    return [event for entry in journal for event in entry.events if isinstance(event, kind)]


@pytest.mark.proves("L14")
def test_an_edited_call_runs_as_it_was_edited_and_the_model_is_told(opened):
    seen = list[str]()

    def script(ask):
        seen.append(str(ask.request.contents[-1]))
        return call("drop", table="customers") if ask.turn == 0 else "done"

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock, tools=[drop]) as desk:
            run = await desk.create(NewRun(input="Tidy up", mode="deep"))
            [ask] = await asked(desk, run.id, clock)
            shown = ask.subject.sha256
            for wrong, field in (({"table": 5}, "args"), ({"file": "x"}, "args")):
                with pytest.raises(Invalid) as refused:
                    await desk.answer(ask.id, ALLOW, args=wrong)
                assert refused.value.field == field
            with pytest.raises(Invalid, match="only where a call is allowed"):
                await desk.answer(ask.id, DENY, args={"table": "old"})
            await desk.answer(ask.id, ALLOW_FOR_RUN, "ann", args={"table": "customers_2019", "hard": True})
            end = await desk.result(run.id)
            [allowed] = await facts(desk, run.id, e.CallAllowed)
            assert end.status == "completed" and allowed.sha256 != shown and allowed.by == "ann"
            assert end.grants == (), "what was edited is no permission for what was asked"
        assert SENT == ["customers_2019 True"]
        assert "customers_2019" in seen[1] and "a person changed the arguments" in seen[1]

    skipping(main())


@pytest.mark.proves("L14")
def test_what_a_call_would_do_is_part_of_what_is_approved(opened):
    async def main():
        clock = SkippingClock()
        script = [call("letter", to="ann"), call("letter", to="ann"), "done"]
        async with opened(script, clock=clock, tools=[letter]) as desk:
            run = await desk.create(NewRun(input="Write", mode="deep", files={"letter.txt": b"Dear Ann"}))
            [ask] = await asked(desk, run.id, clock)
            assert ask.subject.preview == "to ann: Dear Ann"
            desk._access.engine.files.of(run.id).write("letter.txt", b"Give me your password")
            await desk.answer(ask.id, ALLOW)
            [again] = await asked(desk, run.id, clock)
            answers = await facts(desk, run.id, e.CallAnswered)
            assert answers[0].error == "denied" and "not what was allowed" in answers[0].output and SENT == []
            assert again.subject.preview == "to ann: Give me your password"
            await desk.answer(again.id, ALLOW)
            assert (await desk.result(run.id)).status == "completed"
        assert SENT == ["ann: Give me your password"]

    skipping(main())


@pytest.mark.proves("L14")
@pytest.mark.parametrize(("said", "sent"), [(ALLOW_FOR_RUN, ["a False", "a False"]), (DENY_FOR_RUN, [])])
def test_an_answer_for_the_run_is_not_asked_for_again_and_covers_one_target(opened, said, sent):
    async def main():
        clock = SkippingClock()
        script = [call("drop", table="a"), call("drop", table="a"), call("drop", table="b"), "done"]
        async with opened(script, clock=clock, tools=[drop]) as desk:
            run = await desk.create(NewRun(input="Tidy up", mode="deep"))
            [first] = await asked(desk, run.id, clock)
            await desk.answer(first.id, said)
            [other] = await asked(desk, run.id, clock)
            assert (first.subject.target, other.subject.target) == ("a", "b") and sent == SENT
            await desk.answer(other.id, DENY)
            assert (await desk.result(run.id)).status == "completed"
            assert len(await facts(desk, run.id, e.AskOpened)) == 2

    skipping(main())


@pytest.mark.proves("L14")
def test_a_permission_ends_when_it_was_given_an_end(opened):
    def script(ask):
        return call("wait", until="2h") if ask.turn == 2 else call("drop", table="a") if ask.turn < 4 else "done"

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock, tools=[drop, wait]) as desk:
            run = await desk.create(NewRun(input="Tidy up", mode="deep"))
            [first] = await asked(desk, run.id, clock)
            with pytest.raises(Invalid, match="remembered"):
                await desk.answer(first.id, ALLOW, until=START + HOUR)
            with pytest.raises(Invalid, match="time zone"):
                await desk.answer(first.id, ALLOW, remember=True, until=(START + HOUR).replace(tzinfo=None))
            await desk.answer(first.id, ALLOW, remember=True, until=START + HOUR)
            await clock.sleep(3 * HOUR)
            [second] = await desk.asks(run.id)
            assert SENT == ["a False", "a False"] and second.opened_at > START + HOUR
            await desk.cancel(run.id)

    skipping(main())


@pytest.mark.proves("L14")
def test_only_an_approver_may_answer_and_silence_passes_the_question_on(opened):
    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as desk:
            options = ("Yes", "No")
            more = {"approvers": ("ann@example.com",), "escalate_to": ("bob@*", "carol@example.com")}
            run = await desk.ask(Question(message="Pay?", options=options, timeout="2h", on_timeout="escalate", **more))
            [ask] = await desk.asks()
            with pytest.raises(NotAllowed, match=r"for ann@example\.com to answer, not for 'bob@example\.com'"):
                await desk.answer(ask.id, "Yes", "bob@example.com")
            why = await desk.why_waiting(run.id)
            assert "for ann@example.com to answer 'Pay?'" in why and "2026-01-05 11:00 UTC, bob@* is asked" in why
            await clock.sleep(3 * HOUR)
            [ask] = await desk.asks()
            assert ask.approvers == ("bob@*",) and ask.expires_at == START + 4 * HOUR
            with pytest.raises(NotAllowed):
                await desk.answer(ask.id, "Yes", "ann@example.com")
            await desk.answer(ask.id, "Yes", "BOB@example.com")
            assert (await desk.result(run.id)).result == "Yes"
            late = await desk.ask(Question(message="Pay more?", options=options, timeout="2h", on_timeout="escalate", **more))
            end = await desk.result(late.id)
            assert (end.status, end.failure.reason) == ("failed", "timeout")
            assert end.ended_at - late.created_at == 6 * HOUR, "each of the three had two hours"
            assert [one.approvers for one in await facts(desk, late.id, e.AskEscalated)] == [("bob@*",), ("carol@example.com",)]
            heard = [one.data for one in [event async for event in desk.events(late.id)] if one.kind == "ask"]
            assert [one["approvers"] for one in heard if one["state"] == "open"] == [
                ["ann@example.com"],
                ["bob@*"],
                ["carol@example.com"],
            ]

    skipping(main())


@pytest.mark.parametrize(
    ("on_timeout", "outcome"), [("deny", "timeout"), ("halt", "halted"), ("default", "No"), ("wait", "Yes")]
)
def test_silence_means_what_was_chosen(opened, on_timeout, outcome):
    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as desk:
            default = "No" if on_timeout == "default" else None
            run = await desk.ask(
                Question(message="Go?", options=("Yes", "No"), timeout="1h", on_timeout=on_timeout, default=default)
            )
            await clock.sleep(2 * HOUR)
            if on_timeout == "wait":
                await desk.answer((await desk.asks())[0].id, "Yes")
            end = await desk.result(run.id)
            assert outcome == (end.failure.reason if end.failure else end.result)
            if on_timeout != "wait":
                with pytest.raises(WrongState, match=r"expired|failed"):
                    await desk.answer(end.asks[0].id if end.asks else (await desk.asks(run.id, open_only=False))[0].id, "Yes")

    skipping(main())


@pytest.mark.proves("L14")
def test_a_quorum_counts_people_not_answers_and_one_refusal_refuses(opened):
    async def main():
        clock = SkippingClock()
        people = People(approvers=("ann", "bob", "carol"), quorum=2)
        script = [call("drop", table="a"), call("drop", table="b"), "done"]
        async with opened(script, clock=clock, tools=[drop]) as desk:
            run = await desk.create(NewRun(input="Tidy up", mode="deep", people=people))
            [first] = await asked(desk, run.id, clock)
            await desk.answer(first.id, ALLOW, "ann")
            with pytest.raises(WrongState):
                await desk.answer(first.id, ALLOW, "ann")
            [still] = await asked(desk, run.id, clock)
            assert [vote.by for vote in still.votes] == ["ann"] and SENT == []
            assert "1 of 2 have agreed" in await desk.why_waiting(run.id)
            await desk.answer(first.id, ALLOW, "carol")
            [second] = await asked(desk, run.id, clock)
            assert SENT == ["a False"]
            await desk.answer(second.id, DENY, "bob")
            assert (await desk.result(run.id)).status == "completed" and SENT == ["a False"]
            answers = [one.answer for one in await facts(desk, run.id, e.AskAnswered)]
            assert [(one.value, one.by) for one in answers] == [(ALLOW, "ann, carol"), (DENY, "bob")]

    skipping(main())


@pytest.mark.proves("F21")
def test_answer_expiry_and_cancel_race_one_wins_and_whoever_loses_is_told(opened):
    """Whoever was told that the answer counts, it counts; whoever was told that it is too late, it does not."""

    async def race(desk, clock, number: int):
        run = await desk.ask(Question(message="Go?", options=("Yes", "No"), timeout="1h", on_timeout="default", default="No"))
        [ask] = run.asks
        moment = run.created_at + HOUR + timedelta(milliseconds=number % 3 - 1)

        async def act(what):
            await clock.sleep_until(moment)
            return await what

        answer, cancel = act(desk.answer(ask.id, "Yes", "ann")), act(desk.cancel(run.id))
        order = (answer, cancel) if number % 2 else (cancel, answer)
        ended = await asyncio.gather(*order, return_exceptions=True)
        told = dict(zip(("answer", "cancel") if number % 2 else ("cancel", "answer"), ended, strict=True))
        for one in told.values():
            assert not isinstance(one, BaseException) or isinstance(one, WrongState), one
        try:
            end = await desk.result(run.id)
        except RunFailed:
            end = await desk.get(run.id)
        won = [one.answer for one in await facts(desk, run.id, e.AskAnswered) if one.answer.how != "withdrawn"]
        assert len(won) <= 1 and end.terminal
        counted = bool(won) and won[0].by == "ann"
        assert counted == (not isinstance(told["answer"], WrongState)), (told, won)
        assert (end.status == "cancelled") >= (not won)
        return end.status, won[0].value if won else None

    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as desk:
            return {await race(desk, clock, number) for number in range(100)}

    outcomes = skipping(main())
    assert len(outcomes) >= 3, outcomes


@pytest.mark.proves("L15")
@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"on_timeout": "default", "timeout": "1h"}, "default"),
        ({"on_timeout": "default", "timeout": "1h", "default": "Maybe"}, "default"),
        ({"on_timeout": "escalate", "timeout": "1h"}, "escalate_to"),
        ({"escalate_to": ("bob",), "timeout": "1h"}, "escalate_to"),
        ({"on_timeout": "later", "timeout": "1h"}, "on_timeout"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": "2w"}, "timeout"),
        ({"approvers": ("",)}, "approvers"),
        ({"approvers": ("ann",), "quorum": 2}, "quorum"),
        ({"quorum": 0}, "quorum"),
    ],
)
def test_a_question_whose_silence_means_nothing_possible_is_refused_before_it_is_asked(opened, said, field):
    async def main():
        async with opened() as desk:
            with pytest.raises(Invalid) as refused:
                await desk.ask(Question(message="Go?", options=("Yes", "No"), **said))
            assert refused.value.field == field
            assert await desk.asks() == [] and (await desk.runs()).runs == ()

    skipping(main())


def test_the_models_own_questions_are_put_to_the_owners_approvers(opened):
    async def main():
        clock = SkippingClock()
        question = call("ask_approval", message="Go?", options=["Yes", "No"], timeout="1h")
        people = People(approvers=("ann",), escalate_to=("bob",), timeout=2 * HOUR, on_timeout="escalate")
        async with opened([question, "done"], clock=clock, tools=[ask_approval]) as desk:
            run = await desk.create(NewRun(input="Ask", mode="deep", people=people))
            [ask] = await asked(desk, run.id, clock)
            assert (ask.approvers, ask.on_timeout, ask.timeout) == (("ann",), "escalate", 2 * HOUR)
            with pytest.raises(NotAllowed):
                await desk.answer(ask.id, "Yes", "the model's friend")
            await clock.sleep(3 * HOUR)
            await desk.answer(ask.id, "Yes", "bob")
            assert (await desk.result(run.id)).status == "completed"

    skipping(main())
