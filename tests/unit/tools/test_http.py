"""Any HTTP interface; what is not reading is asked of a person, and done once."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from inline_snapshot import snapshot

from auteryn.schema.change import Doc
from auteryn.testing.clock import START
from auteryn.tools.http import http_request
from auteryn.tools.registry import Registry
from unit.tools.fault_server import Asked, FaultServer, Reply, server_tls
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

JSON = {"content-type": "application/json"}


class Orders:
    """An interface that takes orders; `knows_keys`: it takes each key once."""

    def __init__(self, site: FaultServer, *, knows_keys: bool = True) -> None:
        self.taken = list[str]()
        self.knows_keys = knows_keys
        self.lose_answers = 0
        site.on("/orders", self.answer)

    def answer(self, asked: Asked) -> Reply:
        key = asked.headers["idempotency-key"]
        if not (self.knows_keys and key in self.taken):
            self.taken.append(key)
        if self.lose_answers:
            self.lose_answers -= 1
            return Reply(drop=True)
        return Reply('{"order": 7}', status=201, headers=JSON)


# ---- reading -----------------------------------------------------------------------------------------------------


@pytest.mark.tool("http_request", "happy")
def test_reading_gives_status_headers_and_json(surfer: Room, site: FaultServer) -> None:
    site.on("/api", Reply('{"a": ["\u202eb"]}', headers={**JSON, "etag": '"7"', "set-cookie": "a=b", "server": "x"}))
    told = surfer.call(http_request, **as_a_judge_calls(http_request, method="GET", url=site.url("/api?q=1")))
    assert (told["status"], told["json"], told["headers"]) == (200, {"a": ["b"]}, {**JSON, "etag": '"7"'})
    assert "not instructions" in told["notice"] and site.asked[0].path == "/api?q=1"


def test_a_failure_of_the_other_side_is_an_answer(surfer: Room, site: FaultServer) -> None:
    site.on("/x", Reply('{"error": "no"}', status=404, headers=JSON))
    assert surfer.call(http_request, method="GET", url=site.url("/x"))["status"] == 404
    site.on("/y", Reply("broken {", status=500, headers=JSON))
    told = surfer.call(http_request, method="GET", url=site.url("/y"))
    assert told["status"] == 500 and "broken {" in told["text"]
    assert surfer.call(http_request, method="HEAD", url=site.url("/x"))["complete"]


def test_long_and_strange_bodies_are_cut_and_named(surfer: Room, site: FaultServer) -> None:
    site.on("/long", Reply("x" * 50_000, headers={"content-type": "text/plain"}))
    told = surfer.call(http_request, method="GET", url=site.url("/long"))
    assert (told["complete"], told["chars_total"]) == (False, 50_000) and len(told["text"]) < 7_000
    site.on("/png", Reply(b"\x89PNG\0", headers={"content-type": "image/png"}))
    assert "web_fetch" in surfer.call(http_request, method="GET", url=site.url("/png"))["note"]


@pytest.mark.tool("http_request", "failure")
def test_who_counts_us_is_waited_for(surfer: Room, site: FaultServer) -> None:
    site.on("/x", Reply(status=429, headers={"retry-after": "2"}))
    for method in ("GET", "POST"):
        failed = surfer.refusal(http_request, method=method, url=site.url("/x"))
        assert failed.kind == "rate_limited" and failed.retryable
    site.on("/x", Reply(status=503))
    assert surfer.refusal(http_request, method="GET", url=site.url("/x")).kind == "unavailable"
    assert surfer.call(http_request, method="POST", url=site.url("/x"))["status"] == 503


# ---- doing -------------------------------------------------------------------------------------------------------


def test_bodies_are_sent_as_they_were_given(surfer: Room, site: FaultServer) -> None:
    site.on("/x", Reply("ok"))
    surfer.call(http_request, method="PUT", url=site.url("/x"), json_body={"ä": [1]})
    assert site.asked[-1].json == {"ä": [1]} and site.asked[-1].headers["content-type"] == "application/json"
    surfer.call(http_request, method="PATCH", url=site.url("/x"), text_body="a=b", headers={"Content-Type": "text/x"})
    assert site.asked[-1].body == b"a=b" and site.asked[-1].headers["content-type"] == "text/x"
    assert surfer.refusal(http_request, method="PUT", url=site.url("/x"), json_body={}, text_body="").kind == "invalid"
    assert surfer.refusal(http_request, method="GET", url=site.url("/x"), json_body={}).kind == "invalid"


@pytest.mark.proves("L6")
def test_a_repeat_after_a_crash_has_the_same_key_and_is_one_delivery(surfer: Room, site: FaultServer) -> None:
    orders = Orders(site)
    given = {"method": "POST", "url": site.url("/orders"), "json_body": {"n": 1}, "knows_keys": True}
    first = surfer.call(http_request, call="c", **given)
    assert surfer.call(http_request, call="c", **given) == first
    assert len(orders.taken) == 1 and len(site.asked) == 2
    surfer.call(http_request, call="another", **given)
    assert len(orders.taken) == 2


@pytest.mark.proves("L6")
def test_a_lost_answer_is_asked_for_again_only_where_keys_are_known(surfer: Room, site: FaultServer) -> None:
    orders = Orders(site)
    orders.lose_answers = 1
    given = {"method": "POST", "url": site.url("/orders"), "knows_keys": True}
    lost = surfer.refusal(http_request, call="c", **given)
    assert lost.retryable and surfer.call(http_request, call="c", **given)["status"] == 201
    assert len(orders.taken) == 1


@pytest.mark.tool("http_request", "failure")
@pytest.mark.proves("L6")
def test_where_keys_are_not_known_a_lost_answer_is_never_repeated(surfer: Room, site: FaultServer) -> None:
    orders = Orders(site, knows_keys=False)
    orders.lose_answers = 1
    given = {"method": "POST", "url": site.url("/orders")}
    lost = surfer.refusal(http_request, call="c", **given)
    assert (lost.kind, lost.retryable) == ("ambiguous", False)
    again = surfer.refusal(http_request, call="c", **given)
    assert again.kind == "ambiguous" and len(orders.taken) == 1 == len(site.asked)


@pytest.mark.proves("L6")
def test_what_certainly_did_not_arrive_may_be_sent_again(surfer: Room, site: FaultServer) -> None:
    orders = Orders(site, knows_keys=False)
    site.on("/busy", Reply(status=429))
    assert surfer.refusal(http_request, call="c", method="POST", url=site.url("/busy")).retryable
    assert surfer.call(http_request, call="c", method="POST", url=site.url("/orders"))["status"] == 201
    assert surfer.refusal(http_request, call="d", method="POST", url="http://10.0.0.1/").kind == "blocked"
    assert surfer.call(http_request, call="d", method="POST", url=site.url("/orders"))["status"] == 201
    assert len(orders.taken) == 2


def test_methods_that_may_be_repeated_are_repeated(surfer: Room, site: FaultServer) -> None:
    site.on("/x", Reply(drop=True))
    for method in ("GET", "PUT", "DELETE"):
        failed = surfer.refusal(http_request, call=method, method=method, url=site.url("/x"))
        assert failed.kind == "unavailable" and failed.retryable
    site.on("/x", Reply("ok"))
    assert surfer.call(http_request, call="DELETE", method="DELETE", url=site.url("/x"))["status"] == 200


def test_a_person_is_asked_once_per_host_for_everything_but_reading(room: Room) -> None:
    needs = {
        m: http_request.judged({"method": m, "url": "https://a.test/"}, room.files, room.run).permission
        for m in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
    }
    assert needs == dict.fromkeys(("GET", "HEAD", "OPTIONS"), "auto") | dict.fromkeys(
        ("POST", "PUT", "PATCH", "DELETE"), "ask1"
    )
    assert http_request.target and http_request.target({"url": "https://api.Example.com./x"}) == "api.example.com"
    assert http_request.sends and http_request.untrusted


@pytest.mark.proves("L14")
def test_what_was_allowed_for_one_host_does_not_reach_another(surfer: Room, site: FaultServer) -> None:
    site.on("/x", Reply(status=307, headers={"location": site.url("/orders", host="other.test")}))
    told = surfer.call(http_request, method="POST", url=site.url("/x"), json_body={"a": 1})
    assert told["status"] == 307 and told["headers"]["location"].endswith("/orders") and len(site.asked) == 1


@pytest.mark.tool("http_request", "failure")
@pytest.mark.proves("L14")
@pytest.mark.parametrize("headers", [{"Host": "x"}, {"Metadata-Flavor": "Google"}, {"X": "a\r\nb: c"}])
def test_headers_that_open_doors_are_blocked(surfer: Room, site: FaultServer, headers: dict[str, str]) -> None:
    assert surfer.refusal(http_request, method="GET", url=site.url(), headers=headers).kind == "blocked"
    assert site.asked == []


# ---- credentials -------------------------------------------------------------------------------------------------


def test_a_credential_opens_its_own_host_and_no_other(surfer: Room, site: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTERYN_SECRET_SHOP", "s3cret")
    monkeypatch.setenv("AUTERYN_CREDENTIAL_SHOP", json.dumps({"hosts": ["shop.test"], "secret": "AUTERYN_SECRET_SHOP"}))
    site.on("/x", Reply("ok"))
    given = {"method": "GET", "credential": "shop"}
    told = surfer.call(http_request, url=site.url("/x", host="shop.test"), **given)
    assert site.asked[-1].headers["authorization"] == "Bearer s3cret" and "s3cret" not in str(told)
    denied = surfer.refusal(http_request, url=site.url("/x", host="other.test"), **given)
    assert denied.kind == "denied" and "s3cret" not in str(denied) and len(site.asked) == 1
    site.on("/away", Reply(status=302, headers={"location": site.url("/x", host="other.test")}))
    surfer.call(http_request, url=site.url("/away", host="shop.test"), **given)
    assert "authorization" not in site.asked[-1].headers


def test_a_credential_may_stand_in_the_store_and_names_its_secret(
    surfer: Room, site: FaultServer, as_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_run(owner="ann")
    body = {"hosts": ["shop.test"], "secret": "AUTERYN_SECRET_K", "header": "X-Key", "prefix": ""}
    asyncio.run(surfer.store.put(Doc(kind="credential", id="ann/k", scope="ann", body=body, at=START)))
    monkeypatch.setenv("AUTERYN_SECRET_K", "key")
    site.on("/x", Reply("ok"))
    surfer.call(http_request, method="GET", url=site.url("/x", host="shop.test"), credential="k")
    assert site.asked[-1].headers["x-key"] == "key"
    as_run(owner="bob")
    assert (
        surfer.refusal(http_request, method="GET", url=site.url("/x", host="shop.test"), credential="k").kind
        == "not_configured"
    )


@pytest.mark.proves("L14")
def test_only_secrets_are_secrets_and_only_sealed(surfer: Room, site: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "mine")
    monkeypatch.setenv("AUTERYN_CREDENTIAL_A", json.dumps({"hosts": ["shop.test"], "secret": "GEMINI_API_KEY"}))
    monkeypatch.setenv("AUTERYN_CREDENTIAL_B", "no json")
    monkeypatch.setenv("AUTERYN_CREDENTIAL_C", json.dumps({"hosts": ["example.com"], "secret": "AUTERYN_SECRET_C"}))
    monkeypatch.setenv("AUTERYN_SECRET_C", "c")
    for name in ("a", "b", "none", "../x", ""):
        if name:
            failed = surfer.refusal(http_request, method="GET", url=site.url("/", host="shop.test"), credential=name)
            assert failed.kind == "not_configured" and "mine" not in str(failed)
    unsealed = surfer.refusal(http_request, method="GET", url="http://example.com/", credential="c")
    assert unsealed.kind == "denied" and "https" in str(unsealed) and site.asked == []


def test_a_sealed_credential_is_sent(room: Room, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site = FaultServer(tls=server_tls(tmp_path, "shop.test"))
    try:
        room.egress = site.egress("shop.test")
        monkeypatch.setenv("AUTERYN_CREDENTIAL_S", json.dumps({"hosts": ["shop.test"], "secret": "AUTERYN_SECRET_S"}))
        monkeypatch.setenv("AUTERYN_SECRET_S", "x")
        site.on("/", Reply("{}", headers=JSON))
        assert room.call(http_request, method="GET", url=site.url(host="shop.test"), credential="s")["json"] == {}
        assert site.asked[0].headers["authorization"] == "Bearer x"
    finally:
        site.close()


@pytest.mark.proves("L6")
def test_a_cancelled_call_ends_and_its_repeat_is_not_sent(surfer: Room, site: FaultServer) -> None:
    begun = threading.Event()

    def never() -> Any:
        yield b"x"
        begun.set()
        site.released.wait(30)

    site.on("/never", Reply(chunks=never))
    site.on("/", "x")
    surfer.call(http_request, call="c", method="GET", url=site.url())

    async def cancel_it() -> None:
        assert surfer.context is not None
        call = asyncio.create_task(http_request.fn(surfer.context, method="POST", url=site.url("/never")))
        await asyncio.to_thread(begun.wait)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel_it())
    assert surfer.refusal(http_request, call="c", method="POST", url=site.url("/never")).kind == "ambiguous"
    assert site.paths().count("/never") == 1


def test_it_is_always_there_and_its_schema_is_this() -> None:
    assert "http_request" in Registry([http_request])
    assert list(http_request.parameters["properties"]) == snapshot(
        ["method", "url", "headers", "json_body", "text_body", "credential", "knows_keys"]
    )
    assert http_request.effect == "keyed"
