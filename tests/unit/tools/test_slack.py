"""A message is posted once, whatever is lost on the way."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from inline_snapshot import snapshot

from auteryn.testing.clock import START
from auteryn.tools import slack as module
from auteryn.tools.registry import Registry
from auteryn.tools.slack import slack_post
from unit.tools.fault_server import Asked, FaultServer, Reply
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room


class Slack:
    """A workspace with one channel that keeps what is posted."""

    def __init__(self, site: FaultServer) -> None:
        self.site = site
        self.messages = list[dict[str, Any]]()
        self.uploads = dict[str, bytes]()
        self.lose = dict[str, int]()
        """Method → how many answers are lost after it was done."""
        self.errors = dict[str, str]()
        """Method → what it says instead of doing it."""
        self.status = dict[str, Reply]()
        self.since = list[float]()
        """From when on messages were asked for."""
        for method in ("chat.postMessage", "conversations.history", "conversations.replies", "conversations.list"):
            site.on(f"/api/{method}", self.answer)
        for method in ("files.getUploadURLExternal", "files.completeUploadExternal"):
            site.on(f"/api/{method}", self.answer)

    def answer(self, asked: Asked) -> Reply:
        method = asked.path.removeprefix("/api/")
        if method in self.status:
            return self.status.pop(method)
        assert asked.headers["authorization"] == "Bearer xoxb-1"
        if method in self.errors:
            return self.said({"ok": False, "error": self.errors[method]})
        as_json = asked.headers["content-type"].startswith("application/json")
        fields = asked.json if as_json else {name: one[0] for name, one in parse_qs(asked.body.decode()).items()}
        done = getattr(self, method.rpartition(".")[2])(fields)
        if self.lose.get(method, 0):
            self.lose[method] -= 1
            return Reply(drop=True)
        return self.said({"ok": True, **done})

    def said(self, body: dict[str, Any]) -> Reply:
        return Reply(json.dumps(body), headers={"content-type": "application/json"})

    def postMessage(self, fields: dict[str, Any]) -> dict[str, Any]:
        self.messages.append(fields | {"ts": f"{100 + len(self.messages)}.000"})
        return {"channel": "C0123456", "ts": self.messages[-1]["ts"]}

    def list(self, fields: dict[str, Any]) -> dict[str, Any]:
        if "cursor" not in fields:
            return {"channels": [{"name": "other", "id": "C9999999"}], "response_metadata": {"next_cursor": "more"}}
        return {"channels": [{"name": "alerts", "id": "C0123456"}], "response_metadata": {"next_cursor": ""}}

    def history(self, fields: dict[str, Any]) -> dict[str, Any]:
        assert fields["channel"] == "C0123456" and fields["include_all_metadata"] == "true"
        return self.page(fields, [one for one in reversed(self.messages) if "thread_ts" not in one])

    def replies(self, fields: dict[str, Any]) -> dict[str, Any]:
        return self.page(fields, [one for one in self.messages if fields["ts"] in (one["ts"], one.get("thread_ts"))])

    def page(self, fields: dict[str, Any], found: Sequence[dict[str, Any]]) -> dict[str, Any]:
        self.since.append(float(fields["oldest"]))
        first, end = int(fields.get("cursor", 0)), int(fields.get("cursor", 0)) + int(fields["limit"])
        more = {"response_metadata": {"next_cursor": str(end)}} if end < len(found) else {}
        return {"messages": found[first:end], **more}

    def getUploadURLExternal(self, fields: dict[str, Any]) -> dict[str, Any]:
        name = fields["filename"]

        def upload(asked: Asked) -> Reply:
            assert len(asked.body) == int(fields["length"])
            self.uploads[name] = asked.body
            return Reply("OK")

        self.site.on(f"/upload/{name}", upload)
        return {"upload_url": self.site.url(f"/upload/{name}", host="shop.test"), "file_id": f"F{name}"}

    def completeUploadExternal(self, fields: dict[str, Any]) -> dict[str, Any]:
        names = [{"name": one["title"]} for one in fields["files"]]
        self.messages.append({"ts": f"{100 + len(self.messages)}.000", "thread_ts": fields["thread_ts"], "files": names})
        return {"files": fields["files"]}

    @property
    def posts(self) -> Any:
        return [one for one in self.messages if "text" in one]


def key_of(room: Room) -> str:
    assert room.context
    return room.context.key


@pytest.fixture
def slack(site: FaultServer, surfer: Room, monkeypatch: pytest.MonkeyPatch) -> Slack:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setattr(module, "API", site.url("/api/"))
    return Slack(site)


@pytest.mark.tool("slack_post", "happy")
@pytest.mark.proves("P73")
def test_a_message_is_posted_with_its_files(surfer: Room, slack: Slack) -> None:
    surfer.put("out/report.csv", "a,b\n")
    given = {"channel": "#alerts", "text": "Prices *changed*", "files": ["out/report.csv"]}
    told = surfer.call(slack_post, call="c", **as_a_judge_calls(slack_post, **given))
    assert told == {"posted": True, "channel": "C0123456", "ts": "100.000", "files": ["out/report.csv"]}
    (post,) = slack.posts
    assert (post["channel"], post["text"]) == ("#alerts", "Prices *changed*") and slack.uploads == {"report.csv": b"a,b\n"}
    assert (
        post["metadata"] == {"event_type": "auteryn_call", "event_payload": {"key": key_of(surfer)}} and post["client_msg_id"]
    )
    assert slack.messages[1]["thread_ts"] == "100.000"


def test_a_slack_elsewhere_is_called_where_its_owner_says(
    surfer: Room, slack: Slack, site: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "API", "https://slack.com/api/")
    monkeypatch.setenv("AUTERYN_SLACK_URL", site.url("/api"))
    assert surfer.call(slack_post, channel="C0123456", text="there")["posted"]
    assert [post["text"] for post in slack.posts] == ["there"]


def test_an_answer_goes_into_its_thread(surfer: Room, slack: Slack) -> None:
    surfer.call(slack_post, channel="C0123456", text="first")
    surfer.call(slack_post, channel="C0123456", text="second", thread="100.000")
    assert slack.posts[1]["thread_ts"] == "100.000"


@pytest.mark.proves("L6")
@pytest.mark.parametrize("thread", [None, "100.000"])
def test_a_repeat_after_a_crash_posts_nothing_new(surfer: Room, slack: Slack, thread: str | None) -> None:
    surfer.put("a.txt", "a")
    surfer.call(slack_post, channel="#alerts", text="before")
    given = {"channel": "#alerts", "text": "once", "files": ["a.txt"]} | ({"thread": thread} if thread else {})
    first = surfer.call(slack_post, call="c", **given)
    assert surfer.call(slack_post, call="c", **given) == first
    assert len(slack.posts) == 2 and sum("files" in one for one in slack.messages) == 1
    surfer.call(slack_post, call="d", **given)
    assert len(slack.posts) == 3


@pytest.mark.proves("L6")
def test_a_lost_answer_is_looked_up_before_anything_is_posted_again(surfer: Room, slack: Slack) -> None:
    slack.lose["chat.postMessage"] = 1
    lost = surfer.refusal(slack_post, call="c", channel="#alerts", text="once")
    assert (lost.kind, lost.retryable) == ("ambiguous", True)
    assert surfer.call(slack_post, call="c", channel="#alerts", text="once")["ts"] == "100.000"
    assert len(slack.posts) == 1


@pytest.mark.proves("L6")
@pytest.mark.parametrize("thread", [None, "100.000"])
def test_a_busy_channel_is_read_back_to_the_first_try(surfer: Room, slack: Slack, thread: str | None) -> None:
    """A run may be taken up a day later: hundreds of messages have come on top."""
    slack.messages.append({"ts": "100.000", "text": "the head"})
    given = {"channel": "#alerts", "text": "once", "thread": thread}
    slack.lose["chat.postMessage"] = 1
    surfer.refusal(slack_post, call="c", **given)
    around = {"text": "talk"} | ({"thread_ts": thread} if thread else {})
    slack.messages[1:1] = [{"ts": f"101.{n:03}", **around} for n in range(300)]
    slack.messages += [{"ts": f"102.{n:03}", **around} for n in range(300)]
    assert surfer.call(slack_post, call="c", **given)["ts"] == "101.000"
    assert [one["text"] for one in slack.posts].count("once") == 1
    assert set(slack.since) == {(START - timedelta(minutes=5)).timestamp()}


@pytest.mark.proves("L6")
def test_what_was_written_since_and_cannot_all_be_read_leaves_it_ambiguous(surfer: Room, slack: Slack) -> None:
    slack.lose["chat.postMessage"] = 1
    surfer.refusal(slack_post, call="c", channel="#alerts", text="once")
    slack.messages += [{"ts": "102.000", "text": "talk"} for _ in range(20_000)]
    told = surfer.refusal(slack_post, call="c", channel="#alerts", text="once")
    assert (told.kind, told.retryable) == ("ambiguous", False)


@pytest.mark.proves("L6")
def test_what_did_not_arrive_is_posted_by_the_repeat(surfer: Room, slack: Slack) -> None:
    slack.status["chat.postMessage"] = Reply(status=503)
    assert surfer.refusal(slack_post, call="c", channel="#alerts", text="once").retryable
    surfer.call(slack_post, call="c", channel="#alerts", text="once")
    assert len(slack.posts) == 1


@pytest.mark.tool("slack_post", "failure")
@pytest.mark.proves("L6")
def test_a_channel_that_cannot_be_read_leaves_it_ambiguous(surfer: Room, slack: Slack) -> None:
    slack.lose["chat.postMessage"] = 1
    surfer.refusal(slack_post, call="c", channel="C0123456", text="once")
    slack.errors["conversations.history"] = "missing_scope"
    told = surfer.refusal(slack_post, call="c", channel="C0123456", text="once")
    assert (told.kind, told.retryable) == ("ambiguous", False) and len(slack.posts) == 1


def test_only_the_missing_file_is_uploaded_by_a_repeat(surfer: Room, slack: Slack) -> None:
    surfer.put("a.txt", "a")
    surfer.put("b.txt", "b")
    given = {"channel": "#alerts", "text": "x", "files": ["a.txt", "b.txt"]}
    slack.site.on("/upload/b.txt", Reply(drop=True))
    slack.lose["files.completeUploadExternal"] = 1
    assert surfer.refusal(slack_post, call="c", **given).retryable
    surfer.call(slack_post, call="c", **given)
    shared = [file["name"] for one in slack.messages for file in one.get("files", [])]
    assert (len(slack.posts), shared) == (1, ["a.txt", "b.txt"])


@pytest.mark.tool("slack_post", "failure")
@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        ("channel_not_found", "not_found", False),
        ("invalid_auth", "auth", False),
        ("missing_scope", "auth", False),
        ("not_in_channel", "denied", False),
        ("is_archived", "denied", False),
        ("msg_too_long", "too_large", False),
        ("ratelimited", "rate_limited", True),
        ("internal_error", "ambiguous", True),
        ("no_text", "invalid", False),
    ],
)
def test_what_slack_refuses_is_told(surfer: Room, slack: Slack, error: str, kind: str, retryable: bool) -> None:
    slack.errors["chat.postMessage"] = error
    failed = surfer.refusal(slack_post, channel="#alerts", text="x")
    assert (failed.kind, failed.retryable) == (kind, retryable) and error in str(failed) and "xoxb" not in str(failed)


def test_who_is_too_fast_waits_as_long_as_slack_says(surfer: Room, slack: Slack) -> None:
    slack.status["chat.postMessage"] = Reply(status=429, headers={"retry-after": "2"})
    failed = surfer.refusal(slack_post, call="c", channel="#alerts", text="x")
    assert failed.kind == "rate_limited" and failed.retry_after and failed.retry_after.total_seconds() == 2
    surfer.call(slack_post, call="c", channel="#alerts", text="x")
    assert len(slack.posts) == 1 and "/api/conversations.list" not in slack.site.paths()


@pytest.mark.proves("L14")
def test_nobody_is_woken_by_what_a_page_said(surfer: Room, slack: Slack) -> None:
    surfer.call(slack_post, channel="#alerts", text="<!channel> <!here> <!Everyone> <https://a.test|a>")
    assert "<!" not in slack.posts[0]["text"].replace("<\u200b!", "") and "<https://a.test|a>" in slack.posts[0]["text"]
    assert surfer.refusal(slack_post, channel="#alerts", text="x", files=["../secret"]).kind == "denied"
    assert slack_post.permission == "ask1" and slack_post.sends and slack_post.effect == "keyed"
    assert slack_post.target and slack_post.target({"channel": "#alerts"}) == "#alerts"


def test_an_unknown_channel_is_not_found(surfer: Room, slack: Slack) -> None:
    slack.lose["chat.postMessage"] = 1
    surfer.refusal(slack_post, call="c", channel="#nowhere", text="x")
    assert surfer.refusal(slack_post, call="c", channel="#nowhere", text="x").kind == "not_found"


@pytest.mark.proves("L6")
def test_a_cancelled_post_is_looked_up(surfer: Room, slack: Slack) -> None:
    arrived = threading.Event()

    def hang(asked: Asked) -> Reply:
        slack.postMessage(asked.json)
        arrived.set()
        slack.site.released.wait(30)
        return Reply(drop=True)

    surfer.call(slack_post, call="c", channel="#alerts", text="x")
    slack.site.on("/api/chat.postMessage", hang)

    async def cancel_it() -> None:
        assert surfer.context is not None
        surfer.context.call = "d"
        call = asyncio.create_task(slack_post.fn(surfer.context, channel="#alerts", text="y", files=[]))
        await asyncio.to_thread(arrived.wait)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel_it())
    assert surfer.call(slack_post, call="d", channel="#alerts", text="y")["ts"] == "101.000"
    assert len(slack.posts) == 2


def test_without_a_token_the_tool_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_BOT_TOKEN", raising=False)
    assert "SLACK_BOT_TOKEN" in Registry([slack_post]).hidden["slack_post"]


def test_the_schema_is_this() -> None:
    assert list(slack_post.parameters["properties"]) == snapshot(["channel", "text", "thread", "files"])


def test_who_hears_that_a_file_is_not_attached_hears_that_the_message_is_posted(surfer: Room, slack: Slack) -> None:
    surfer.put("a.txt", "a")
    slack.errors["files.getUploadURLExternal"] = "missing_scope"
    failed = surfer.refusal(slack_post, channel="#alerts", text="x", files=["a.txt"])
    assert len(slack.posts) == 1 and failed.kind == "auth"
    assert "the message is posted" in str(failed) and "'a.txt' is not attached" in str(failed)
