"""Named targets hear signed messages, each id once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from typing import Any

import pytest
from inline_snapshot import snapshot

from auteryn.tools.registry import Registry
from auteryn.tools.webhook import signature, webhook_send
from unit.tools.fault_server import Asked, FaultServer, Reply
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

SECRET = "whsec_" + base64.b64encode(b"a key of the test").decode()


def key_of(room: Room) -> str:
    assert room.context
    return room.context.key


class Receiver:
    """Takes each id once, and only with a right signature."""

    def __init__(self, site: FaultServer) -> None:
        self.taken = dict[str, Any]()
        self.drop = 0
        site.on("/hook", self.answer)

    def answer(self, asked: Asked) -> Reply:
        key, at = asked.headers["webhook-id"], asked.headers["webhook-timestamp"]
        want = hmac.new(b"a key of the test", f"{key}.{at}.".encode() + asked.body, hashlib.sha256).digest()
        if asked.headers["webhook-signature"] != f"v1,{base64.b64encode(want).decode()}":
            return Reply(status=401)
        assert asked.headers["idempotency-key"] == key
        self.taken.setdefault(key, asked.json)
        if self.drop:
            self.drop -= 1
            return Reply(drop=True)
        return Reply(status=204)


@pytest.fixture
def receiver(site: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setenv("AUTERYN_SECRET_ALERTS", SECRET)
    monkeypatch.setenv("AUTERYN_WEBHOOK_ALERTS", json.dumps({"url": site.url("/hook"), "secret": "AUTERYN_SECRET_ALERTS"}))
    return Receiver(site)


@pytest.mark.tool("webhook_send", "happy")
def test_a_signed_message_arrives(room: Room, receiver: Receiver) -> None:
    told = room.call(webhook_send, call="c", **as_a_judge_calls(webhook_send, name="alerts", payload={"preis": "9,99 €"}))
    assert told == {"sent": True, "name": "alerts", "status": 204, "id": key_of(room)}
    assert receiver.taken == {key_of(room): {"preis": "9,99 €"}}


def test_the_signature_is_the_standards(room: Room) -> None:
    """The example of standardwebhooks.com."""
    body = b'{"test": 2432232314}'
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.tool("webhook_send", "failure")
@pytest.mark.proves("L6")
def test_a_repeat_after_a_crash_is_one_delivery(room: Room, receiver: Receiver, site: FaultServer) -> None:
    for _ in range(2):
        room.call(webhook_send, call="c", name="alerts", payload={"n": 1})
    receiver.drop = 1
    lost = room.refusal(webhook_send, call="d", name="alerts", payload={"n": 2})
    assert (lost.kind, lost.retryable) == ("ambiguous", True)
    room.call(webhook_send, call="d", name="alerts", payload={"n": 2})
    assert len(receiver.taken) == 2 and len(site.asked) == 4
    assert webhook_send.effect == "keyed"


@pytest.mark.tool("webhook_send", "failure")
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid"),
        (404, "not_found"),
        (403, "denied"),
        (413, "too_large"),
        (429, "rate_limited"),
        (500, "unavailable"),
        (302, "unavailable"),
    ],
)
def test_a_receivers_no_is_told(room: Room, receiver: Receiver, site: FaultServer, status: int, kind: str) -> None:
    site.on("/hook", Reply(status=status, headers={"location": "/elsewhere"} if status == 302 else {}))
    failed = room.refusal(webhook_send, name="alerts", payload={})
    assert (failed.kind, failed.retryable) == (kind, status in (429, 500)) and len(site.asked) == 1


def test_only_named_targets_are_reached(room: Room, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = room.refusal(webhook_send, name="https://evil.test/", payload={})
    assert failed.kind == "not_configured" and "alerts" in str(failed)
    monkeypatch.setenv("AUTERYN_WEBHOOK_BAD", '{"url": 7}')
    assert room.refusal(webhook_send, name="bad", payload={}).kind == "not_configured"
    monkeypatch.setenv("AUTERYN_WEBHOOK_META", '{"url": "http://169.254.169.254/"}')
    assert room.refusal(webhook_send, name="meta", payload={}).kind == "blocked"
    monkeypatch.delenv("AUTERYN_SECRET_ALERTS")
    assert room.refusal(webhook_send, name="alerts", payload={}).kind == "not_configured"
    monkeypatch.setenv("AUTERYN_SECRET_ALERTS", "whsec_no base64")
    assert room.refusal(webhook_send, name="alerts", payload={}).kind == "not_configured"
    assert receiver.taken == {}


def test_a_target_may_go_without_a_signature(room: Room, site: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTERYN_WEBHOOK_OPEN", json.dumps({"url": site.url("/open")}))
    site.on("/open", "ok")
    assert room.call(webhook_send, name="Open", payload={"a": 1})["status"] == 200
    assert "webhook-signature" not in site.asked[0].headers


def test_a_payload_has_a_limit(room: Room, receiver: Receiver) -> None:
    assert room.refusal(webhook_send, name="alerts", payload={"a": "x" * (1 << 20)}).kind == "too_large"


def test_a_cancelled_message_ends(room: Room, receiver: Receiver, site: FaultServer) -> None:
    arrived = threading.Event()

    def hang(asked: Asked) -> Reply:
        arrived.set()
        site.released.wait(30)
        return Reply(drop=True)

    room.call(webhook_send, name="alerts", payload={})
    site.on("/hook", hang)

    async def cancel_it() -> None:
        assert room.context is not None
        call = asyncio.create_task(webhook_send.fn(room.context, name="alerts", payload={}))
        await asyncio.to_thread(arrived.wait)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel_it())


def test_without_a_target_the_tool_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "AUTERYN_WEBHOOK_<NAME>" in Registry([webhook_send]).hidden["webhook_send"]


def test_the_schema_is_this() -> None:
    assert list(webhook_send.parameters["properties"]) == snapshot(["name", "payload"])
    assert webhook_send.permission == "ask1" and webhook_send.sends
    assert webhook_send.target and webhook_send.target({"name": "alerts"}) == "alerts"
