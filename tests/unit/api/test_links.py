"""One-tap links: a page that answers nothing by itself, and a form that answers once."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from auteryn.policy.gates import ALLOW, DENY
from auteryn.policy.shown import TURNS
from auteryn.service.asks import Question
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import call
from auteryn.tools.tool import tool

URL = "http://door"


@tool(effect="once", permission="ask", target=lambda args: args["table"], preview=lambda args, files: "DROP TABLE <x>;")
async def delete(table: str) -> str:
    """Delete a table."""
    return f"{table} is gone"


async def tapped(office, **more):
    """An open question and the links to its options, by option."""
    office.world.host.engine.public_url = URL
    question = {"message": "Pay <script>alert(1)</script>?", "options": ("Yes & go", "No"), **more}
    run = await office.desk.ask(Question(**question))
    [ask] = run.asks
    by = more.get("approvers", ("ann@example.com",))[0]
    return run, ask, {link.option: link.url for link in await office.desk.links(ask.id, by)}


@pytest.mark.proves("P60", "L14")
def test_opening_a_link_answers_nothing_and_its_form_answers_once_for_all_links(opened):
    async def main():
        async with opened() as office, office.browser() as phone:
            run, _ask, links = await tapped(office)
            for _ in range(3):  # scanners open links, too
                page = await phone.get(links["Yes & go"])
                assert page.status_code == 200 and "Yes &amp; go</button>" in page.text
            assert "<script>" not in page.text and "&lt;script&gt;" in page.text
            assert "default-src 'none'" in page.headers["content-security-policy"] and "script-src" not in page.text
            assert page.headers["cache-control"] == "no-store" and page.headers["referrer-policy"] == "no-referrer"
            assert (await office.desk.get(run.id)).asks
            yes, no = links["Yes & go"], links["No"]
            tapped_twice = await asyncio.gather(phone.post(yes), phone.post(yes))
            assert (await office.desk.result(run.id)).result == "Yes & go"
            for thanks in (*tapped_twice, await phone.post(yes), await phone.get(yes)):
                assert thanks.status_code == 200 and "Answered: <strong>Yes &amp; go</strong>" in thanks.text
                assert "ann@example.com" in thanks.text
            for refused in (await phone.get(no), await phone.post(no)):
                assert refused.status_code == 409 and "answered &#x27;Yes &amp; go&#x27; by ann@example.com" in refused.text
            assert (await office.world.outline(run.id)).count("AskAnswered") == 1

    skipping(main())


@pytest.mark.proves("L14")
def test_a_link_that_was_changed_is_refused(opened):
    async def main():
        async with opened() as office, office.browser() as phone:
            run, _ask, links = await tapped(office)
            yes, no = links["Yes & go"], links["No"]
            payload, _, mac = yes.partition(".")
            other_payload, _, other_mac = no.partition(".")
            changed = [
                yes[:-1] + ("A" if yes[-1] != "A" else "B"),
                f"{payload}.{other_mac}",
                f"{other_payload}.{mac}",
                payload,
                yes + "x",
            ]
            changed += [yes.replace("/a/", "/a/e30"), f"{URL}/a/%00", f"{URL}/a/e30.e30"]
            session = await office.door.auth.seal.sign("session", (await office.desk.asks())[0])
            for url in [*changed, f"{URL}/a/{session}"]:
                for method in ("GET", "POST"):
                    refused = await phone.request(method, url)
                    assert refused.status_code == 404 and "not one of ours" in refused.text, url
            assert (await office.desk.get(run.id)).asks

    skipping(main())


@pytest.mark.proves("L15")
@pytest.mark.parametrize("body", [b"value=\xff\xfe", b"&".join(b"a=1" for _ in range(20)), b"value=" + b"x" * 300_000])
def test_a_body_that_is_no_form_of_ours_is_refused_and_the_question_stays_open(opened, body):
    async def main():
        async with opened() as office, office.browser() as phone:
            run, _ask, links = await tapped(office)
            refused = await phone.post(links["Yes & go"], content=body)
            assert refused.status_code == 422 and "cannot be taken" in refused.text
            assert (await office.desk.get(run.id)).asks

    skipping(main())


@pytest.mark.proves("L14")
def test_a_link_expires_with_its_question_and_dies_when_it_is_anothers_turn(opened):
    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as office, office.browser() as phone:
            silent = {"timeout": "1h", "on_timeout": "escalate", "escalate_to": ("bob@example.com",)}
            run, ask, links = await tapped(office, approvers=("ann@example.com",), **silent)
            with pytest.raises(Exception, match="not for 'mallory'"):
                await office.desk.links(ask.id, "mallory")
            await clock.sleep(timedelta(hours=1, minutes=1))
            refused = await phone.post(links["Yes & go"])
            assert refused.status_code == 403 and "This link expired at 2026-01-05 10:00 UTC" in refused.text
            waits, _, forever = await tapped(office, approvers=("ann@example.com",), timeout="1d", on_timeout="wait")
            early = {link.option: link.url for link in await office.desk.links(ask.id, "bob@example.com")}
            assert (await phone.get(early["No"])).status_code == 200
            engine = office.world.host.engine
            await office.desk.cancel(waits.id)
            gone = await phone.post(forever["No"])
            assert gone.status_code == 409 and "cancelled" in gone.text
            await phone.post(early["No"])
            assert (await office.desk.result(run.id)).result == "No" and engine.public_url == URL

    skipping(main())


@pytest.mark.proves("L14")
def test_the_wrong_approver_is_refused_even_with_a_signed_link(opened):
    """The link was ann's; the question has passed on to bob before it expired."""

    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as office, office.browser() as phone:
            from auteryn.service.links import OneTap

            silent = {"timeout": "1h", "on_timeout": "escalate", "escalate_to": ("bob@example.com",)}
            run, ask, _ = await tapped(office, approvers=("ann@example.com",), **silent)
            tap = OneTap(ask=ask.id, owner="local", by="ann@example.com", until=run.deadline_at, option="No")
            token = await office.door.auth.seal.sign("answer", tap)
            await clock.sleep(timedelta(hours=1, minutes=1))
            refused = await phone.post(f"{URL}/a/{token}")
            assert refused.status_code == 403 and "no longer ann@example.com&#x27;s turn" in refused.text
            assert (await office.desk.get(run.id)).asks

    skipping(main())


@pytest.mark.proves("P63")
def test_a_link_to_a_question_without_options_has_a_field_and_says_what_is_wrong(opened):
    async def main():
        async with opened() as office, office.browser() as phone:
            office.world.host.engine.public_url = URL
            run = await office.desk.ask(Question(message="Where to?", kind="input", validation="email"))
            [link] = await office.desk.links(run.asks[0].id, "ann")
            page = (await phone.get(link.url)).text
            assert "<input name=value required type=email>" in page
            for wrong in ({"value": "nowhere"}, {"other": "x"}, {"value": ""}):
                refused = await phone.post(link.url, data=wrong)
                assert refused.status_code == 422 and "role=alert" in refused.text
            assert (await phone.post(link.url, data={"value": "x" * 200_000})).status_code == 422
            assert (await phone.post(link.url, data={"value": "ann@example.com"})).status_code == 200
            assert (await office.desk.result(run.id)).result == "ann@example.com"

    skipping(main())


@pytest.mark.proves("L14")
def test_nobody_but_an_admin_makes_links_that_answer_as_somebody_else(opened):
    async def main():
        async with opened() as office, office.browser() as phone:
            run, ask, _links = await tapped(office, approvers=("ann@example.com",))
            where, as_ann = f"/v1/asks/{ask.id}", {"by": "ann@example.com"}
            _, key = await office.key("operator", name="bob")
            async with office.browser(Authorization=f"Bearer {key}") as bob:
                for refused in (
                    await bob.post(f"{where}/answer", json={"value": "No"}),
                    await bob.post(f"{where}/links", json={}),
                    await bob.post(f"{where}/links", json=as_ann),
                ):
                    assert refused.status_code == 403, refused.text
            async with await office.client("admin") as admin:
                made = (await admin.post(f"{where}/links", json=as_ann)).json()["links"]
            assert (await phone.post(made[1]["url"])).status_code == 200
            assert (await office.desk.result(run.id)).result == "No"

    skipping(main())


@pytest.mark.proves("L14")
def test_a_gates_page_shows_the_exact_arguments_and_what_would_happen(opened):
    async def main():
        script = (call("delete", table="</pre><b>records"), "It is done.")
        async with opened(script, tools=[delete]) as office, await office.client("admin") as http, office.browser() as phone:
            office.world.host.engine.public_url = URL
            run = (await http.post("/v1/runs", json={"input": "Tidy up", "mode": "deep"})).json()["id"]
            await office.world.asked(run)
            [ask] = (await http.get("/v1/asks")).json()["asks"]
            made = await http.post(f"/v1/asks/{ask['id']}/links", json={"by": "ann@example.com"})
            links = {one["option"]: one["url"] for one in made.json()["links"]}
            assert made.status_code == 201 and {ALLOW, DENY} < set(links)
            page = (await phone.get(links[ALLOW])).text
            assert "&lt;/pre&gt;&lt;b&gt;records" in page and "DROP TABLE &lt;x&gt;;" in page and "<b>" not in page
            assert (await phone.post(links[DENY])).status_code == 200
            assert (await office.world.ended(run)).status == "completed"
            assert (await http.get(f"/v1/asks/{ask['id']}")).json()["subject"]["preview"] == "DROP TABLE <x>;"
            assert not re.search("gone", str(await office.world.events(run)))

    skipping(main())


TURNED = "Pay to \u202emoc.live\u202c"
"""Reads "Pay to evil.com" where the marks are obeyed."""


@tool(effect="once", permission="ask", target=lambda args: args["to"], preview=lambda args, files: f"Sends {args['to']}")
async def pay(to: str) -> str:
    """Pay somebody."""
    return to


@pytest.mark.proves("L14")
def test_no_mark_on_a_page_turns_what_is_decided(opened):
    async def main():
        async with opened((call("pay", to=f"{TURNED}\u200b"), "done"), tools=[pay]) as office, office.browser() as phone:
            context = f"{TURNED} **now** [yes](https://evil.test) <https://evil.test>\n\n[yes]: https://evil.test"
            run, _ask, links = await tapped(office, context=context, message=TURNED, options=("\u2066Yes\u2069", "No"))
            page = (await phone.get(links["\u2066Yes\u2069"])).text
            assert page.count("Pay to \ufffdmoc.live\ufffd") >= 2 and "\ufffdYes\ufffd</button>" in page
            assert not set(page) & set(TURNS)
            assert "<strong>now</strong> [yes](https://evil.test)" in page and "[yes]: https://evil.test" in page
            assert 'href="https' not in page, "here one answers, and follows nothing"
            assert "\ufffdYes\ufffd" in (await phone.post(links["\u2066Yes\u2069"])).text
            assert (await office.desk.result(run.id)).result == "\u2066Yes\u2069", "the answer is the option as it was given"
            gated = await office.world.asked(await office.world.start("Pay"))
            [link, *_] = await office.desk.links(gated.asks[0].id, "ann@example.com")
            page = (await phone.get(link.url)).text
            assert r"Pay to \u202emoc.live\u202c\u200b" in page and "Sends Pay to \ufffdmoc.live\ufffd" in page
            assert not set(page) & set(TURNS)

    skipping(main())


def test_without_a_public_address_there_are_no_links(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            run = await office.desk.ask(Question(message="Go?", options=("Yes", "No")))
            refused = await http.post(f"/v1/asks/{run.asks[0].id}/links", json={})
            assert refused.status_code == 409 and "AUTERYN_PUBLIC_URL" in refused.json()["detail"]

    skipping(main())
