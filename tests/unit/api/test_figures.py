"""Figures, health and webhooks over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auteryn.plan.graph import MOST_STEPS
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import call
from auteryn.tools.time import wait
from auteryn.tools.tool import tool


@tool(effect="read", cost=1_500)
async def lookup(what: str) -> str:
    """Look something up."""
    return f"facts about {what}"


@pytest.mark.proves("P88")
def test_costs_forecast_estimate_and_health_are_there_for_a_reader(opened):
    async def main():
        clock = SkippingClock()
        script = [call("lookup", what="x"), call("wait", until="1h"), "done"]
        async with opened(script, clock=clock, tools=[lookup, wait]) as office, await office.client("viewer") as http:
            async with await office.client() as operator:
                run = (await operator.post("/v1/runs", json={"input": "Do it", "mode": "deep"})).json()["id"]
            await clock.sleep(timedelta(minutes=1))
            plain = (await http.get(f"/v1/runs/{run}/credits")).json()
            assert set(plain) == {"total_credits", "breakdown"}
            detail = (await http.get(f"/v1/runs/{run}/credits?detail=true")).json()["detail"]
            assert sum(one["credits"] for one in detail["causes"]) == pytest.approx(detail["credits"])
            ahead = (await http.get(f"/v1/runs/{run}/forecast")).json()
            assert ahead["credits_p90"] >= ahead["credits_p50"] >= ahead["spent"] > 0 and ahead["budget"] is None
            health = (await http.get(f"/v1/runs/{run}/health")).json()
            assert health["due"] == "later" and health["next_wake"].startswith("2026-01-05T10:00") and not health["leased"]
            view = (await http.get(f"/v1/runs/{run}")).json()
            assert view["why"] == health["why"] == "It waits until 2026-01-05 10:00 UTC."
            cost = (await http.post("/v1/estimate", json={"input": "What is X?"})).json()
            assert cost["mode"] == "fast" and cost["label"] == "low" and cost["credits_p50"] <= cost["credits_p90"]
            largest = await http.post("/v1/estimate", json={"steps": MOST_STEPS})
            beyond = await http.post("/v1/estimate", json={"steps": MOST_STEPS + 1})
            assert (largest.status_code, beyond.status_code, beyond.json()["field"]) == (200, 422, "steps")
            empty = await http.post("/v1/estimate", json={})
            assert (empty.status_code, empty.json()["field"]) == (422, "input")

    skipping(main())


@pytest.mark.proves("L15")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "http://[::1]:8080/"}, "url"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "https://example.com:22/"}, "url"),
        ({"url": "https://example.com", "types": ["run.exploded"]}, "types[0]"),
        ({"url": "https://example.com", "description": "x" * 201}, "description"),
        ({}, "url"),
    ],
)
def test_a_webhook_that_could_be_told_nothing_is_refused(opened, body, field):
    async def main():
        async with opened() as office, await office.client() as http:
            refused = await http.post("/v1/webhooks", json=body)
            assert (refused.status_code, refused.json()["field"]) == (422, field)
            assert (await http.get("/v1/webhooks")).json() == {"webhooks": []}

    skipping(main())


@pytest.mark.proves("L15")
def test_an_owner_has_at_most_twenty_webhooks(opened):
    async def main():
        async with opened() as office, await office.client() as http, await office.client(owner="other") as other:
            body = {"url": "https://example.com/hook"}
            assert [(await http.post("/v1/webhooks", json=body)).status_code for _ in range(20)] == [201] * 20
            refused = await http.post("/v1/webhooks", json=body)
            assert (refused.status_code, refused.json()["field"]) == (422, "url") and "20" in refused.json()["detail"]
            assert (await other.post("/v1/webhooks", json=body)).status_code == 201

    skipping(main())


def test_a_webhooks_secret_is_shown_once_and_belongs_to_its_owner(opened):
    async def main():
        async with opened() as office, await office.client() as http, await office.client(owner="mallory") as other:
            made = await http.post("/v1/webhooks", json={"url": "https://example.com/hook", "types": ["run.failed"]})
            assert made.status_code == 201 and made.json()["secret"].startswith("whsec_")
            hook = made.json()["webhook"]["id"]
            listed = await http.get("/v1/webhooks")
            assert "whsec_" not in listed.text and listed.json()["webhooks"][0]["types"] == ["run.failed"]
            assert (await other.get("/v1/webhooks")).json() == {"webhooks": []}
            for method, path in (("POST", f"/v1/webhooks/{hook}/rotate"), ("DELETE", f"/v1/webhooks/{hook}")):
                assert (await other.request(method, path)).status_code == 404
            fresh = (await http.post(f"/v1/webhooks/{hook}/rotate")).json()["secret"]
            assert fresh != made.json()["secret"]
            gone = await http.delete(f"/v1/webhooks/{hook}")
            assert (gone.status_code, gone.content) == (204, b"")
            assert (await http.delete(f"/v1/webhooks/{hook}")).status_code == 404

    skipping(main())
