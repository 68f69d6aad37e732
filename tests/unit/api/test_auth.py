"""Who may come in, and as what."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from auteryn.api.auth import login_token, members_of
from auteryn.api.keys import issue, revoke
from auteryn.api.routes import ROUTES, WINDOW
from auteryn.errors import Invalid
from auteryn.schema.change import Doc
from auteryn.service.asks import Question
from auteryn.service.new import NewRun
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import call
from auteryn.tools.tool import tool

BODIES = {
    "/v1/runs": {"input": "Do it"},
    "/v1/runs/{run}/messages": {"text": "Hello"},
    "/v1/asks": {"message": "Go?"},
    "/v1/asks/{ask}/answer": {"value": "Yes"},
    "/v1/webhooks": {"url": "https://example.com/hook"},
    "/v1/estimate": {"input": "What is X?"},
    "/v1/prose": {"texts": ["**bold**"]},
    "/v1/runs/{run}": {"title": "x"},
    "/v1/runs/{run}/messages/{message}": {"text": "x"},
    "/v1/runs/{run}/steps/{step}": {"description": "x"},
    "/v1/session": {"key": "auteryn_aaaaaaaaaaaa_no"},
}
NOT_THERE = ("/{path:path}", "/answer", "/{plan}", "/{schedule}")
"""The run has published no file, is no question, and has neither plan nor schedule."""


@tool(effect="read", timeout=timedelta(days=30))
async def rest(ctx, hours: float) -> str:
    """Rest for some hours."""
    await ctx.clock.sleep(timedelta(hours=hours))
    return "rested"


RESTING = (call("rest", hours=1), "rested")


@pytest.mark.proves("L15", "P95")
def test_every_route_as_nobody_as_a_stranger_and_as_a_viewer(opened):
    async def main():
        async with opened(RESTING, tools=[rest]) as office:
            run = await office.desk.create(NewRun(input="Rest", mode="deep"))
            question = await office.desk.ask(Question(message="Go?", options=("Yes", "No")))
            names = {"run": run.id, "ask": question.asks[0].id, "plan": "plan_none", "path": "a.txt", "schedule": "sched_none"}
            names |= {"message": "m_none", "step": "1"}
            names |= {"token": "forged.word", "webhook": (await office.desk.add_webhook("https://example.com/"))[0].id}
            said, now = {"text": "x", "tags": [], "run": run.id, "foreign": False}, office.world.now()
            await office.world.services.store.put(Doc(kind="memory", id="memory_1", scope=run.owner, body=said, at=now))
            names |= {"memory": "memory_1"}
            await office.world.clock.sleep(timedelta(minutes=1))
            before = (await office.desk.get(run.id)).seq
            for route in (*ROUTES, *(page for page in WINDOW if page.role)):
                where = re.sub(r"\{(\w+)(?::path)?\}", lambda found: names[found[1]], route.path)
                json = {"json": BODIES.get(route.path, {})} if route.method in ("POST", "PATCH") else {}
                stream = "event-stream" in str(route.media) and route.path.endswith("/events")
                public = route.role is None

                async with office.browser() as nobody:
                    refused = await nobody.request(route.method, where, **json)
                    if route.path == "/a/{token}":
                        assert refused.status_code == 404 and "not one of ours" in refused.text
                        continue
                    known = refused.status_code == 200 if route.path.startswith("/health") else refused.status_code == 401
                    assert known or (route.path == "/login" and refused.status_code == 422), route
                for wrong in ("Bearer nonsense", f"Bearer auteryn_{'a' * 12}_x", "Basic YTpi", "Bearer a.b.c"):
                    async with office.browser(Authorization=wrong) as liar:
                        assert public or (await liar.request(route.method, where, **json)).status_code == 401, route
                async with await office.client(owner="mallory") as stranger:
                    if "{" in route.path:
                        assert (await stranger.request(route.method, where, **json)).status_code == 404, route
                async with await office.client("viewer") as viewer:
                    if route.role == "operator":
                        assert (await viewer.request(route.method, where, **json)).status_code == 403, route
                    elif not public and not stream:
                        seen = (await viewer.request(route.method, where, **json)).status_code
                        assert seen in (200, 201, 202, 204) or route.path.endswith(NOT_THERE), route
            assert (await office.desk.get(run.id)).seq == before
            assert not await office.world.services.store.inbox(run.id)
            assert [one.id for one in await office.desk.memories()] == ["memory_1"]
            async with await office.client(owner="mallory") as stranger:
                assert (await stranger.get("/v1/runs")).json()["runs"] == (await stranger.get("/v1/asks")).json()["asks"] == []

    skipping(main())


def test_a_key_holds_until_it_expires_or_is_revoked_and_its_secret_is_nowhere(opened):
    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as office:
            key_id, text = await office.key(days=1)
            async with office.browser(Authorization=f"Bearer {text}") as http:
                assert (await http.get("/v1/tools")).status_code == 200
                async with office.browser(Authorization=f"Bearer {text[:-1]}") as almost:
                    assert (await almost.get("/v1/tools")).status_code == 401
                doc = await office.world.services.store.doc("key", key_id)
                assert text.split("_", 2)[2] not in str(doc)
                await clock.sleep(timedelta(days=1))
                assert (await http.get("/v1/tools")).status_code == 401
            key_id, text = await office.key()
            async with office.browser(Authorization=f"Bearer {text}") as http:
                for _ in range(2):
                    await revoke(office.world.services.store, key_id, office.world.now())
                    assert (await http.get("/v1/tools")).status_code == 401

    skipping(main())


@pytest.mark.proves("L15")
@pytest.mark.parametrize(("field", "value"), [("name", " "), ("owner", "a\nb"), ("lifetime", timedelta(days=400))])
def test_a_key_nobody_should_have_is_refused(opened, field, value):
    async def main():
        async with opened() as office:
            given = {"name": "ann", "owner": "local", "role": "viewer", "lifetime": timedelta(days=1), field: value}
            with pytest.raises(Invalid, match="expires" if field == "lifetime" else field):
                await issue(office.world.services.store, office.world.now(), **given)
            assert not await office.world.services.store.docs("key", "key")

    skipping(main())


def test_the_consoles_cookie_reads_by_itself_and_changes_only_with_its_token(opened):
    async def main():
        async with opened() as office:
            key_id, text = await office.key()
            async with office.browser() as browser:
                signed_in = await browser.post("/v1/session", json={"key": text})
                cookie = signed_in.headers["set-cookie"].lower()
                assert signed_in.status_code == 204 and "httponly" in cookie and "samesite=strict" in cookie
                session = (await browser.get("/v1/session")).json()
                assert (session["owner"], session["role"]) == ("local", "operator")
                forged = await browser.post("/v1/runs", json={"input": "Do it"})
                assert (forged.status_code, forged.json()["code"]) == (403, "not_allowed")
                other = await browser.post("/v1/runs", json={"input": "Do it"}, headers={"X-CSRF-Token": "x"})
                assert other.status_code == 403
                token = {"X-CSRF-Token": session["csrf"]}
                assert (await browser.post("/v1/runs", json={"input": "Do it"}, headers=token)).status_code == 201
                await revoke(office.world.services.store, key_id, office.world.now())
                assert (await browser.get("/v1/session")).status_code == 401
                browser.cookies.set("auteryn_session", browser.cookies["auteryn_session"][:-2] + "xx")
                assert (await browser.get("/v1/session")).status_code == 401

    skipping(main())


def test_the_printed_link_signs_in_for_ten_minutes_and_the_session_outlives_the_server(opened):
    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as office:
            token = await login_token(office.door.auth.seal, "local", office.world.now())
            async with office.browser() as browser:
                came_in = await browser.get(f"/login?token={token}")
                assert (came_in.status_code, came_in.headers["location"]) == (303, "/")
                cookies = dict(browser.cookies)
                assert (await browser.get("/v1/session")).json()["role"] == "admin"
                gone = await browser.delete(
                    "/v1/session", headers={"X-CSRF-Token": (await browser.get("/v1/session")).json()["csrf"]}
                )
                assert gone.status_code == 204 and not browser.cookies
        async with opened(clock=clock) as office, office.browser() as browser:
            browser.cookies.update(cookies)
            assert (await browser.get("/v1/session")).status_code == 200
            await clock.sleep(timedelta(minutes=10))
            assert (await browser.get(f"/login?token={token}")).status_code == 401
            assert (await browser.get(f"/login?token={cookies['auteryn_session']}")).status_code == 401
            await clock.sleep(timedelta(days=7))
            assert (await browser.get("/v1/session")).status_code == 401

    skipping(main())


def test_a_ticket_opens_the_stream_of_its_run_and_nothing_else(opened):
    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as office, await office.client("viewer") as http:
            run, other = [(await office.desk.create(NewRun(input="What is X?"))).id for _ in range(2)]
            await office.world.ended(run)
            await office.world.ended(other)
            ticket = (await http.post(f"/v1/runs/{run}/ticket")).json()
            status, frames = await office.stream(ticket["url"], {})
            assert status == 200 and frames[-1].data["status"] == "completed"
            query = ticket["url"].partition("?")[2]
            async with office.browser() as nobody:
                for where in (f"/v1/runs/{other}/events", f"/v1/runs/{run}", f"/v1/runs/{run}/logs", "/v1/runs"):
                    assert (await nobody.get(f"{where}?{query}")).status_code == 401, where
                await clock.sleep(timedelta(hours=1))
                assert (await nobody.get(ticket["url"])).status_code == 401

    skipping(main())


def test_an_admin_acts_for_the_owner_it_names_and_nobody_else_does(opened):
    async def main():
        async with opened() as office, await office.client(owner="bob") as bob, await office.client("admin") as admin:
            run = (await bob.post("/v1/runs", json={"input": "Do it"})).json()["id"]
            assert (await admin.get(f"/v1/runs/{run}")).status_code == 404
            assert (await admin.get(f"/v1/runs/{run}", headers={"Auteryn-Owner": "bob"})).json()["owner"] == "bob"
            assert (await admin.get("/v1/runs", headers={"Auteryn-Owner": "b" * 201})).json()["field"] == "auteryn-owner"
            async with await office.client() as operator:
                assert (await operator.get(f"/v1/runs/{run}", headers={"Auteryn-Owner": "bob"})).status_code == 403

    skipping(main())


def test_members_are_named_by_address_and_role():
    assert members_of("Ann@Example.com=admin, *@example.com=viewer,") == [
        ("ann@example.com", "admin"),
        ("*@example.com", "viewer"),
    ]
    for broken in ("ann@example.com", "ann@example.com=king", "*=admin"):
        with pytest.raises(Invalid, match="AUTERYN_MEMBERS"):
            members_of(broken)
