"""At the door of somebody who has spent what he may: nothing new begins, and the answer says when it frees."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auteryn.policy.spend import spend_limit, written
from auteryn.schema.event import CallAnswered
from auteryn.service.new import NewRun
from auteryn.service.spend import set_limit
from auteryn.testing.clock import SkippingClock, skipping


async def spend(office, credits: int) -> None:
    """Somebody else of this owner works in another process."""
    spending, run = office.world.host.engine.spending, await office.desk.create(NewRun(input="What is X?"))
    assert await spending.room("local", run.id, lambda: credits) is None
    spending.spent(run, (CallAnswered(call="call_1", tool="t", output={}, credits=credits),))
    await spending.left("local", run.id)


@pytest.mark.proves("L15")
def test_over_the_limit_new_work_is_refused_with_the_time_when_it_frees_and_repeats_are_not(opened):
    async def main():
        clock = SkippingClock()
        async with opened(clock=clock) as office, await office.client() as http, await office.client(owner="bob") as bob:
            await set_limit(office.world.host.engine, "local", spend_limit("2/12h"))
            first = await http.post("/v1/runs", json={"input": "Once"}, headers={"Idempotency-Key": "k"})
            failed = await http.post("/v1/runs", json={"input": "Once"})
            await http.post(f"/v1/runs/{failed.json()['id']}/cancel", json={})
            before = (await http.get("/v1/spend")).json()
            assert (before["limit"], before["window"]) == (2, "12h") and before["spent"] < 2
            await spend(office, 2_000)
            runs = len((await office.desk.runs()).runs)
            for path, body in (("/v1/runs", {"input": "More"}), (f"/v1/runs/{first.json()['id']}/fork", {})):
                refused = await http.post(path, json=body)
                found = refused.json()
                assert (refused.status_code, found["code"], found["type"]) == (
                    429,
                    "spend_limit",
                    "urn:auteryn:problem:spend_limit",
                )
                assert "2 credits in 12h is used up; it frees at 2026-01-05 12:00 UTC" in found["detail"]
                assert int(refused.headers["retry-after"]) == found["retry_after"] <= 3 * 3600
            assert len((await office.desk.runs()).runs) == runs
            repeated = await http.post("/v1/runs", json={"input": "Once"}, headers={"Idempotency-Key": "k"})
            assert (repeated.status_code, repeated.json()["id"]) == (201, first.json()["id"])
            assert (await http.post("/v1/asks", json={"message": "Go?", "options": ["Yes"]})).status_code == 201
            assert (await bob.post("/v1/runs", json={"input": "More"})).status_code == 201
            assert (await bob.get("/v1/spend")).json()["limit"] is None
            await clock.sleep(timedelta(hours=3))
            assert (await http.post("/v1/runs", json={"input": "More"})).status_code == 201
            assert (await http.get("/v1/spend")).json()["spent"] < 2

    skipping(main())


@pytest.mark.parametrize("text", ["1000/1d", "0.5/6h", "250/31d", "none"])
def test_a_limit_is_read_as_it_is_written(text):
    assert written(spend_limit(text)) == text
    assert spend_limit("7") == spend_limit("7/1d")


@pytest.mark.proves("L15")
@pytest.mark.parametrize("text", ["", "0/1d", "-1/1d", "nan/1d", "inf", "1/0s", "1/1s", "1/5w", "1/d", "many/1d", "1e10/1d"])
def test_a_limit_nobody_can_have_meant_is_refused(text):
    with pytest.raises(ValueError, match="limit"):
        spend_limit(text)
