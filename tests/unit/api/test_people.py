"""Questions to people over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from auteryn.testing.clock import skipping
from auteryn.testing.scripted import call
from auteryn.tools.tool import tool


@tool(effect="once", permission="ask1", target=lambda args: args["table"])
async def delete(table: str) -> str:
    """Delete a table."""
    return f"{table} is gone"


@pytest.mark.proves("P60", "P61", "P65")
def test_a_question_is_asked_waits_for_free_and_is_answered_once_by_name(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            options = ["Yes, proceed", "No, cancel", "Show me the records first"]
            body = {"message": "Delete 10,000 records?", "options": options}
            run = (await http.post("/v1/asks", json=body)).json()
            assert run["state"] == "waiting" and run["asks"][0]["options"] == options
            await office.world.clock.sleep_until(office.world.now().replace(day=9))
            [ask] = (await http.get("/v1/asks")).json()["asks"]
            where = f"/v1/asks/{ask['id']}/answer"
            wrong = await http.post(where, json={"value": "Maybe"})
            assert (wrong.status_code, wrong.json()["field"], wrong.json()["value"]) == (422, "answer", "Maybe")
            until = {"value": "Yes, proceed", "remember": True, "until": "2026-12-01T00:00:00"}  # of which zone?
            assert (await http.post(where, json=until)).json()["field"] == "until"
            answers = await asyncio.gather(*(http.post(where, json={"value": option}) for option in options))
            assert sorted(one.status_code for one in answers) == [200, 409, 409]
            [won] = [one.json() for one in answers if one.status_code == 200]
            lost = next(one.json() for one in answers if one.status_code == 409)
            assert won["by"] == "ann" and won["value"] in lost["detail"] and "ann" in lost["detail"]
            end = (await http.get(f"/v1/runs/{run['id']}/result?wait=5")).json()
            assert end["result"] == won["value"]
            assert (await http.get(f"/v1/runs/{run['id']}/answer")).json()["value"] == won["value"]
            assert (await http.get("/v1/asks")).json()["asks"] == []
            assert [one["id"] for one in (await http.get("/v1/asks?open=false")).json()["asks"]] == [ask["id"]]
            assert len((await http.get(f"/v1/runs/{run['id']}/asks?open=false")).json()["asks"]) == 1

    skipping(main())


@pytest.mark.proves("P60")
def test_an_answer_that_is_repeated_with_a_key_is_the_same_answer_and_another_one_is_told_who_won(opened):
    async def main():
        async with opened() as office, await office.client() as ann:
            run = (await ann.post("/v1/asks", json={"message": "Go?", "options": ["Yes", "No"]})).json()
            where = f"/v1/asks/{run['asks'][0]['id']}/answer"
            first = await ann.post(where, json={"value": "Yes"}, headers={"Idempotency-Key": "k"})
            assert first.status_code == 200
            for _ in range(2):  # while it lies in the inbox, and when the run has ended with it
                repeated = await ann.post(where, json={"value": "Yes"}, headers={"Idempotency-Key": "k"})
                assert (repeated.status_code, repeated.json()) == (200, first.json())
                other = await ann.post(where, json={"value": "No"}, headers={"Idempotency-Key": "k"})
                assert other.status_code == 409 and "'Yes' by ann" in other.json()["detail"]
                assert (await ann.post(where, json={"value": "Yes"})).status_code == 409
                _, text = await office.key(name="bob")
                async with office.browser(Authorization=f"Bearer {text}") as bob:
                    late = await bob.post(where, json={"value": "Yes"}, headers={"Idempotency-Key": "k"})
                    assert late.status_code == 409 and "by ann" in late.json()["detail"]
                await office.world.ended(run["id"])

    skipping(main())


@pytest.mark.proves("P60")
def test_each_of_several_who_must_agree_may_repeat_the_answer_whose_reply_was_lost(opened):
    async def main():
        async with opened() as office, await office.client() as ann:
            _, text = await office.key(name="bob")
            asked = {"message": "Go?", "options": ["Yes", "No"], "quorum": 2}
            run = (await ann.post("/v1/asks", json=asked)).json()
            where, key = f"/v1/asks/{run['asks'][0]['id']}/answer", {"Idempotency-Key": "k"}
            async with office.browser(Authorization=f"Bearer {text}") as bob:
                for one in (ann, bob):
                    assert (await one.post(where, json={"value": "Yes"}, headers=key)).status_code == 200
                assert (await office.world.ended(run["id"])).result == "Yes"
                for one in (ann, bob):
                    assert (await one.post(where, json={"value": "Yes"}, headers=key)).status_code == 200
                    assert (await one.post(where, json={"value": "No"}, headers=key)).status_code == 409

    skipping(main())


@pytest.mark.proves("P62", "L14")
def test_a_gate_shows_the_exact_arguments_and_opens_for_them(opened):
    async def main():
        script = (call("delete", table="records"), "It is done.")
        async with opened(script, tools=[delete]) as office, await office.client() as http:
            run = (await http.post("/v1/runs", json={"input": "Tidy up", "mode": "deep"})).json()["id"]
            await office.world.asked(run)
            [ask] = (await http.get(f"/v1/runs/{run}/asks")).json()["asks"]
            assert (ask["kind"], ask["subject"]["args"], ask["subject"]["target"]) == ("gate", {"table": "records"}, "records")
            assert len(ask["subject"]["sha256"]) == 64
            assert (await http.post(f"/v1/asks/{ask['id']}/answer", json={"value": ask["options"][0]})).status_code == 200
            assert (await office.world.ended(run)).result == "It is done."

    skipping(main())


@pytest.mark.proves("P63")
def test_an_answer_has_the_type_that_was_asked_for(opened):
    async def main():
        async with opened() as office, await office.client() as http:
            body = {"message": "Where to?", "kind": "input", "input_type": "text", "validation": "email"}
            run = (await http.post("/v1/asks", json=body)).json()
            where = f"/v1/asks/{run['asks'][0]['id']}/answer"
            assert (await http.post(where, json={"value": "nowhere"})).status_code == 422
            assert (await http.post(where, json={"value": "ann@example.com"})).json()["value"] == "ann@example.com"
            refused = await http.post("/v1/asks", json={"message": "x", "kind": "input", "validation": "regex:("})
            assert refused.status_code == 422

    skipping(main())
